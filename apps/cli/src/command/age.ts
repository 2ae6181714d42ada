import { CliError } from "../errors.ts";

const unitsMs: Readonly<Record<string, number>> = {
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

/**
 * Milliseconds of an age such as `12h`, `30d` or `8w`; `0s` is every age.
 *
 * @param label - What the text was given as, such as `--quarantine-older-than`.
 * @throws {@link CliError} `CLI_INVALID_ARGUMENT`
 */
export function parseAge(text: string, label: string): number {
  const [, digits, unit = ""] = /^(\d{1,6})([smhdw])$/.exec(text) ?? [];
  const ageMs = Number(digits) * (unitsMs[unit] ?? Number.NaN);
  if (Number.isSafeInteger(ageMs)) return ageMs;
  throw new CliError({
    code: "CLI_INVALID_ARGUMENT",
    message: `${label}: not an age: ${JSON.stringify(text)}`,
    hint: "write a number and a unit, such as 12h, 30d or 8w",
  });
}
