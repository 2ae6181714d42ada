import type { TarTime } from "../entry.ts";
import { TarError } from "../errors.ts";
import { latin1 } from "./pax-records.ts";

const decimal = /^\d{1,16}$/;
const time = /^(-?)(\d{1,16})(?:\.(\d*))?$/;

/**
 * Reads a whole decimal number of a PAX record.
 *
 * @throws {@link TarError} `TAR_BAD_PAX`; `TAR_OVER_LIMIT` from 2^53 on.
 */
export function parseDecimal(value: Uint8Array, offset: number): number {
  const text = latin1(value.subarray(0, 64));
  if (!/^\d+$/.test(text)) {
    throw new TarError("TAR_BAD_PAX", "a PAX record's number is not decimal", offset);
  }
  const number = Number(text);
  if (!decimal.test(text) || !Number.isSafeInteger(number)) {
    throw new TarError("TAR_OVER_LIMIT", "a PAX record's number is 2^53 or more", offset);
  }
  return number;
}

/**
 * Reads a time: decimal seconds with an optional sign and fraction, rounded down to nanoseconds.
 *
 * @throws {@link TarError} `TAR_BAD_PAX`.
 */
export function parseTime(value: Uint8Array, offset: number): TarTime {
  const match = time.exec(latin1(value.subarray(0, 256)));
  const whole = Number(match?.[2]);
  if (match === null || !Number.isSafeInteger(whole)) {
    throw new TarError(
      "TAR_BAD_PAX",
      "a PAX record's time is no decimal number of seconds",
      offset,
    );
  }
  const digits = match[3] ?? "";
  const fraction = Number(digits.slice(0, 9).padEnd(9, "0"));
  if (match[1] === "") return { seconds: whole, nanoseconds: fraction };
  const hasRest = /[1-9]/.test(digits.slice(9));
  const below = fraction + (hasRest ? 1 : 0);
  return below === 0
    ? { seconds: 0 - whole, nanoseconds: 0 }
    : { seconds: -whole - 1, nanoseconds: 1_000_000_000 - below };
}

/** The text of a time for a PAX record. */
export function formatTime({ seconds, nanoseconds }: TarTime): string {
  if (nanoseconds === 0) return String(seconds);
  const isNegative = seconds < 0;
  const whole = isNegative ? -seconds - 1 : seconds;
  const rest = isNegative ? 1_000_000_000 - nanoseconds : nanoseconds;
  const fraction = String(rest).padStart(9, "0").replace(/0+$/, "");
  return `${isNegative ? "-" : ""}${whole}.${fraction}`;
}
