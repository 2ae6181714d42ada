import type { CommandContext } from "../../command/define-command.ts";
import { aboutFile } from "../../disks/about-file.ts";
import { openDisk } from "../../disks/open-disk.ts";
import { changeBitmap } from "./change.ts";
import type { BitmapMergeInput } from "./merge-schemas.ts";
import type { BitmapChangeOutput } from "./schemas.ts";

export { identifiers, text } from "./change.ts";

/** Adds to the bitmap what the other one marks. */
export async function run(
  input: BitmapMergeInput,
  context: CommandContext,
): Promise<BitmapChangeOutput> {
  const { name, source, sourceFile: file, allow } = input;
  if (file === undefined) {
    return changeBitmap(input, context, "merged", (image) => image.mergeBitmap(name, source));
  }
  await using other = await openDisk({ file, allow }, context);
  const { image: from } = other;
  if (from === undefined) throw new Error("a disk without a format is qcow2");
  // What is wrong with that bitmap is told of its own file.
  await aboutFile(file, async () => void (await from.dirtyRanges(source).next()));
  return await changeBitmap(input, context, "merged", (image) =>
    image.mergeBitmap(name, source, { image: from }),
  );
}
