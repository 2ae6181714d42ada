import { CliError } from "../errors.ts";

const durationUnitsMs: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};
const longestTimeoutMs = 2 ** 31 - 1;

/** Milliseconds of a text such as `500ms`, `30s`, `5m` or `1h`; a bare number is seconds. */
export function parseDuration(text: string, label = "--timeout"): number {
  const [, digits, unit = "s"] = /^(\d{1,12}(?:\.\d{1,6})?)(ms|s|m|h)?$/.exec(text) ?? [];
  const durationMs = Number(digits) * (durationUnitsMs[unit] ?? Number.NaN);
  if (durationMs > 0 && durationMs <= longestTimeoutMs) return Math.ceil(durationMs);
  throw new CliError({
    code: "CLI_INVALID_ARGUMENT",
    message: `${label}: not a duration: ${JSON.stringify(text)}`,
    hint: "write a number and a unit, such as 500ms, 30s, 5m or 1h (at most 24 days)",
  });
}
