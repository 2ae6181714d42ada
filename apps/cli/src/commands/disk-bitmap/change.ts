import { findByName, type Qcow2Image } from "@box/qcow2";
import type { CommandContext } from "../../command/define-command.ts";
import { aboutFile } from "../../disks/about-file.ts";
import { describeBitmapState, toBitmapFacts } from "../../disks/image-facts.ts";
import { openDisk } from "../../disks/open-disk.ts";
import { formatFields, formatSize } from "../../output/table.ts";
import type { BitmapChangeInput, BitmapChangeOutput } from "./schemas.ts";

/** Opens the image for writing, changes one of its bitmaps, and brings that to stable storage. */
export async function changeBitmap(
  { file, name, allow }: BitmapChangeInput,
  context: CommandContext,
  done: BitmapChangeOutput["done"],
  change: (image: Qcow2Image) => Promise<void>,
): Promise<BitmapChangeOutput> {
  await using disk = await openDisk(
    { file, allow, mode: "rw", command: "box disk bitmap" },
    context,
  );
  const { image } = disk;
  if (image === undefined) throw new Error("a disk without a format is qcow2");
  return await aboutFile(file, async () => {
    const before = await image.bitmaps();
    await change(image);
    await image.flush();
    const listed = done === "removed" ? before : await image.bitmaps();
    const bitmap = findByName(listed, name);
    if (bitmap === undefined) throw new Error("a bitmap that was changed is listed");
    return { file, done, bitmap: toBitmapFacts(bitmap) };
  });
}

/** One line each. */
export function text({ file, done, bitmap }: BitmapChangeOutput): string {
  return formatFields([
    ["file", file],
    [done, JSON.stringify(bitmap.name)],
    ["granularity", formatSize(bitmap.granularityBytes)],
    ["state", done === "removed" ? "gone" : describeBitmapState(bitmap)],
  ]);
}

/** The bitmap's name. */
export function identifiers({ bitmap }: BitmapChangeOutput): readonly string[] {
  return [bitmap.name];
}
