import { TarError } from "../errors.ts";
import type { Field } from "./layout.ts";

/**
 * Reads a number of a header: octal text, or base-256 with the top bit of its first byte set (GNU), which may be
 * negative. A blank field is 0.
 *
 * @throws {@link TarError} `TAR_BAD_HEADER`; `TAR_OVER_LIMIT` from 2^53 on.
 */
export function parseNumber(block: Uint8Array, field: Field, offset: number): number {
  const [start] = field;
  const first = block[start] as number;
  if ((first & 0x80) !== 0) return parseBase256(block, field, offset);
  const value = parseOctal(block, field);
  if (value !== undefined) return value;
  const message = `a number at byte ${start} of the header is not octal`;
  throw new TarError("TAR_BAD_HEADER", message, offset);
}

/** Reads octal text; nothing when it is none. */
export function parseOctal(block: Uint8Array, [start, length]: Field): number | undefined {
  let at = start;
  let end = start + length;
  while (at < end && isBlank(block[at] as number)) at++;
  while (end > at && isBlank(block[end - 1] as number)) end--;
  let value = 0;
  for (; at < end; at++) {
    const byte = block[at] as number;
    // What follows a terminator belongs to nobody: some writers leave rubbish there.
    if (isBlank(byte)) break;
    if (byte < 0x30 || byte > 0x37) return undefined;
    value = value * 8 + byte - 0x30;
  }
  return value;
}

/** Writes a number as octal text that fills the field but for a closing NUL. */
export function writeOctal(block: Uint8Array, [start, length]: Field, value: number): void {
  const text = value.toString(8).padStart(length - 1, "0");
  for (let i = 0; i < text.length; i++) block[start + i] = text.charCodeAt(i);
}

/** The largest number that {@link writeOctal} can put into a field. */
export function maxOctal([, length]: Field): number {
  return 8 ** (length - 1) - 1;
}

function parseBase256(block: Uint8Array, [start, length]: Field, offset: number): number {
  const isNegative = ((block[start] as number) & 0x40) !== 0;
  const flip = isNegative ? 0xff : 0;
  let value = ((block[start] as number) ^ flip) & 0x7f;
  for (let i = 1; i < length; i++) {
    value = value * 256 + ((block[start + i] as number) ^ flip);
    if (value > Number.MAX_SAFE_INTEGER) {
      throw new TarError(
        "TAR_OVER_LIMIT",
        `a number at byte ${start} of the header is 2^53 or more`,
        offset,
      );
    }
  }
  return isNegative ? -value - 1 : value;
}

function isBlank(byte: number): boolean {
  return byte === 0 || byte === 0x20;
}
