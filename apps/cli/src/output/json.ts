/** A value as indented JSON. A `bigint` becomes a number where it is exact, else a text. */
export function formatJson(value: unknown): string {
  return JSON.stringify(value, plain, 2);
}

/** A value as one line of JSON, for NDJSON streams. */
export function formatJsonLine(value: unknown): string {
  return JSON.stringify(value, plain);
}

function plain(_key: string, value: unknown): unknown {
  if (typeof value !== "bigint") return value;
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value.toString();
}
