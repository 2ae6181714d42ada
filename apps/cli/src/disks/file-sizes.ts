import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import type { CommandContext } from "../command/define-command.ts";

/** What a file takes. */
export interface FileSizes {
  /** Its length. */
  readonly fileSizeBytes: number;
  /** What its file system gave it; less than its length where it has holes. */
  readonly allocatedBytes: number;
}

/** The sizes of a file that was just made. */
export async function fileSizesOf(
  file: string,
  { cwd }: Pick<CommandContext, "cwd">,
): Promise<FileSizes> {
  const { size, blocks } = await stat(resolve(cwd, file));
  return { fileSizeBytes: size, allocatedBytes: blocks * 512 };
}
