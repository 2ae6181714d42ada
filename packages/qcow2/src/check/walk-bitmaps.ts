import { parseBitmapDirectory } from "../bitmaps/parse.ts";
import { viewOf } from "../bytes/big-endian.ts";
import { entryOffset } from "../tables/l1-entry.ts";
import { toErrorFinding } from "./finding-of-error.ts";
import { clusterUse } from "./reference-map.ts";
import type { WalkContext } from "./walk-context.ts";

const chunkBytes = 1 << 20;

/**
 * Counts the bitmap directory, the bitmaps' tables and their data clusters.
 *
 * @returns Whether the directory could be read; without it references are missing.
 */
export async function walkBitmaps(context: WalkContext): Promise<boolean> {
  const info = context.area.contents.bitmaps;
  if (info === undefined) return true;
  const { offset, lengthBytes } = info;
  if (offset + lengthBytes > context.reader.sizeBytes) {
    context.outOfFile(clusterUse.bitmapDirectory, offset, lengthBytes, offset, 1);
    return false;
  }
  context.addRange(offset, lengthBytes, clusterUse.bitmapDirectory, 1, offset);
  context.budget.take(lengthBytes, "bitmap directory");
  const bytes = await context.reader.readExactly(offset, lengthBytes, "bitmap directory");
  const entries = await toErrorFinding(context.sink, () =>
    parseBitmapDirectory(bytes, info, context.area.header),
  );
  for (const entry of entries ?? []) {
    await walkBitmapTable(context, entry.tableOffset, entry.tableEntries, entry.entryOffset);
  }
  return entries !== undefined;
}

async function walkBitmapTable(
  context: WalkContext,
  tableOffset: number,
  entries: number,
  from: number,
): Promise<void> {
  context.addRange(tableOffset, entries * 8, clusterUse.bitmapTable, 1, from);
  // An entry that the file cuts is padded with zeros.
  const lengthBytes = Math.ceil(context.insideFile(tableOffset, entries * 8) / 8) * 8;
  if (context.insideFile(tableOffset, entries * 8) < entries * 8) {
    context.outOfFile(clusterUse.bitmapTable, tableOffset, entries * 8, from, 0);
  }
  for (let done = 0; done < lengthBytes; done += chunkBytes) {
    context.pause();
    const start = tableOffset + done;
    const length = Math.min(chunkBytes, lengthBytes - done);
    context.countEntries(length / 8);
    const view = viewOf(await context.readPadded(start, length));
    for (let at = 0; at < length; at += 8) {
      walkBitmapTableEntry(context, view.getUint32(at), view.getUint32(at + 4), start + at);
    }
  }
}

function walkBitmapTableEntry(context: WalkContext, high: number, low: number, from: number): void {
  const offset = entryOffset(high, low);
  if ((high & 0xff000000) !== 0 || (low & 0x1fe) !== 0 || (offset !== 0 && (low & 1) !== 0)) {
    context.reservedBits("bitmap table", from);
    return;
  }
  if (offset === 0) return;
  if (offset % context.clusterSize !== 0) {
    context.misaligned("bitmap data", offset, from);
    return;
  }
  context.addCluster(offset, clusterUse.bitmapData, 1, from);
}
