import { compareImages } from "@box/qcow2";
import type { CommandContext } from "../../command/define-command.ts";
import { aboutFile } from "../../disks/about-file.ts";
import { openDisk } from "../../disks/open-disk.ts";
import { showProgress } from "../../disks/show-progress.ts";
import type { DiskCompareInput, DiskCompareOutput } from "./schemas.ts";

/** Reads both disks up to the first byte that differs. */
export async function run(
  input: DiskCompareInput,
  context: CommandContext,
): Promise<DiskCompareOutput> {
  const { a, b, inputFormat, secondFormat, strict, allow, passphraseFile } = input;
  const common = { allow, passphraseFile };
  await using first = await openDisk({ file: a, format: inputFormat, ...common }, context);
  await using second = await openDisk({ file: b, format: secondFormat, ...common }, context);
  const tell = await showProgress(context, "compare", b);
  const { signal } = context;
  const found = await aboutFile(`${a} and ${b}`, () =>
    compareImages(first.content, second.content, {
      isStrict: strict ?? false,
      signal,
      onProgress: ({ doneBytes, totalBytes }) => tell(doneBytes, totalBytes),
    }),
  );
  return { a, b, ...found };
}

/** One sentence. */
export function text(output: DiskCompareOutput): string {
  const { a, b, isIdentical, hasSameSize, difference, offset } = output;
  if (!isIdentical) {
    const place = offset === undefined ? "" : ` at byte ${offset}`;
    return `${a} and ${b} differ in ${difference}${place}`;
  }
  const rest = hasSameSize ? "" : "; the longer one has only zeros behind the end of the other";
  return `${a} and ${b} are identical${rest}`;
}

/** 1 when they differ, as with cmp, diff and qemu-img compare. */
export function exitCode({ isIdentical }: DiskCompareOutput): number {
  return isIdentical ? 0 : 1;
}
