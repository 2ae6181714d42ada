import { parseSize } from "../command/size.ts";

/** MiB of a text such as `256`, which are MiB, or `512m` and `1.5GiB`; a part of one counts as one. @throws CliError `CLI_INVALID_ARGUMENT`. */
export function parseMemory(text: string): number {
  if (/^\d{1,7}$/.test(text)) return Number(text);
  return Math.ceil(parseSize(text, "--memory") / 2 ** 20);
}
