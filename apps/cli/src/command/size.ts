import { CliError } from "../errors.ts";

const powers: Readonly<Record<string, number>> = { "": 0, K: 1, M: 2, G: 3, T: 4, P: 5 };

const sectorBytes = 512;

/**
 * Bytes of a text such as `4096`, `512MiB` or `10G`: units are powers of 1024. What is no whole number of bytes, such as 1.3GiB, is rounded
 * up to whole sectors.
 *
 * @param label - What the text was given as, such as `--size`.
 * @throws {@link CliError} `CLI_INVALID_ARGUMENT`
 */
export function parseSize(text: string, label: string): number {
  const [, digits, unit = ""] = /^(\d{1,16}(?:\.\d{1,6})?)\s*(?:([KMGTP])i?)?B?$/i.exec(text) ?? [];
  const unitBytes = 1024 ** (powers[unit.toUpperCase()] ?? 0);
  const exact = Number(digits) * unitBytes;
  const isRounded = unitBytes > 1 && !Number.isInteger(exact);
  const sizeBytes = isRounded ? Math.ceil(exact / sectorBytes) * sectorBytes : exact;
  if (Number.isSafeInteger(sizeBytes) && sizeBytes > 0) return sizeBytes;
  throw new CliError({
    code: "CLI_INVALID_ARGUMENT",
    message: `${label}: not a size: ${JSON.stringify(text)}`,
    hint: "write a number and a unit, such as 512MiB or 10GiB",
  });
}
