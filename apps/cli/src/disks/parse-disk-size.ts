import { parseSize } from "../command/size.ts";
import { CliError } from "../errors.ts";
import { roundToSectors } from "./raw-disk.ts";

/**
 * The size of a disk as the argument SIZE says it, rounded up to whole sectors; 0 is a size too.
 *
 * @throws CliError `CLI_INVALID_ARGUMENT`.
 */
export function parseDiskSize(text: string, label = "SIZE"): number {
  return /^0+[KMGTP]?i?B?$/i.test(text) ? 0 : roundToSectors(parseSize(text, label));
}

/**
 * A new size of a disk: absolute, or with `+` or `-` relative to the old one.
 *
 * @throws CliError `CLI_INVALID_ARGUMENT`.
 */
export function parseNewSize(text: string, oldBytes: number): number {
  const sign = text.startsWith("+") ? 1 : text.startsWith("-") ? -1 : 0;
  if (sign === 0) return parseDiskSize(text);
  const newBytes = oldBytes + sign * parseDiskSize(text.slice(1));
  if (newBytes >= 0 && Number.isSafeInteger(newBytes)) return newBytes;
  throw new CliError({
    code: "CLI_INVALID_ARGUMENT",
    message: `SIZE: ${text} of ${oldBytes} bytes is no size`,
    hint: "give the whole new size, such as 10GiB",
  });
}
