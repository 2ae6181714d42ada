import { resolve } from "node:path";
import { openFile } from "@box/io/node";
import { describeImage } from "@box/qcow2";
import type { CommandContext } from "../../command/define-command.ts";
import { aboutFile } from "../../disks/about-file.ts";
import { type BitmapFacts, describeBitmapState, toBitmapFacts } from "../../disks/image-facts.ts";
import { formatSize, formatTable } from "../../output/table.ts";
import type { BitmapListInput } from "./schemas.ts";

/** Reads the bitmap directory. */
export async function run(
  { file }: BitmapListInput,
  { cwd, signal }: CommandContext,
): Promise<readonly BitmapFacts[]> {
  return aboutFile(file, async () => {
    await using source = await openFile(resolve(cwd, file));
    return (await describeImage(source, { signal })).bitmaps.map(toBitmapFacts);
  });
}

/** A table. */
export function text(bitmaps: readonly BitmapFacts[]): string {
  const rows = bitmaps.map((bitmap) => [
    bitmap.name,
    formatSize(bitmap.granularityBytes),
    describeBitmapState(bitmap),
  ]);
  return formatTable(["NAME", "GRANULARITY", "STATE"], rows);
}

/** The names. */
export function identifiers(bitmaps: readonly BitmapFacts[]): readonly string[] {
  return bitmaps.map(({ name }) => name);
}
