/** A value as indented JSON. A `bigint` becomes a number where it is exact, else a text. */
export function formatJson(value: unknown): string {
  return JSON.stringify(value, plain, 2);
}

/** A value as one line of JSON, for NDJSON streams. */
export function formatJsonLine(value: unknown): string {
  return JSON.stringify(value, plain);
}

/** A value as indented JSON with every `bigint` as a number, however large: as QEMU prints them. */
export function formatExactJson(value: unknown): string {
  return JSON.stringify(value, exact, 2);
}

function exact(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? withRawJson.rawJSON(value.toString()) : value;
}

/** Node has it; the library of types does not know it yet. */
const withRawJson = JSON as unknown as { rawJSON(text: string): unknown };

function plain(_key: string, value: unknown): unknown {
  if (typeof value !== "bigint") return value;
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value.toString();
}
