import { MemoryBudget } from "../bytes/budget.ts";
import { Qcow2Error } from "../errors.ts";
import {
  type BitmapPart,
  readBitmapPart,
  readBitmapTable,
  serializeBitmapTable,
} from "./bitmap-table.ts";
import { clearBitsFrom, setBits } from "./bits.ts";
import { type BitmapEntry, bitmapTableEntries, maxBitmapBits } from "./parse.ts";
import { readBitmapDirectory, requireUsable } from "./read-bitmap.ts";
import { replaceDirectory, type UnusedRange } from "./replace-directory.ts";
import type { ChangeParts } from "./store-pages.ts";

/** Writes the size of the disk, and bitmaps of that size with it. */
export type SizeChange = (parts: ChangeParts) => Promise<void>;

/**
 * Judges giving the bitmaps of an image the size that its disk is to get; nothing is changed yet. What is new is not marked,
 * and what is gone is forgotten, as QEMU has it.
 *
 * @returns `undefined` for an image without bitmaps. The change writes them beside the old ones; one write of the header takes
 * them and the size into use.
 * @throws {@link Qcow2Error} `QCOW2_BITMAP_IN_USE` when one cannot be relied on, `QCOW2_BITMAP_INVALID`,
 * `QCOW2_UNSUPPORTED_FEATURE` for an empty disk, `QCOW2_TABLE_TOO_LARGE`, `QCOW2_METADATA_LIMIT`.
 */
export async function judgeResize(
  parts: Omit<ChangeParts, "store" | "fresh">,
  sizeBytes: number,
): Promise<SizeChange | undefined> {
  const { reader, header, maxMetadataBytes } = parts;
  const budget = () => new MemoryBudget(maxMetadataBytes);
  const entries = await readBitmapDirectory(reader, header.area, budget());
  if (entries.length === 0) return undefined;
  for (const entry of entries) {
    requireUsable(entry);
    requirePossible(entry, sizeBytes);
    await readBitmapTable(reader, entry, header.info.clusterSizeBytes, budget());
  }
  return async (all) => {
    const unused: UnusedRange[] = [];
    const changed: BitmapEntry[] = [];
    for (const entry of entries) changed.push(await resizeOne(all, entry, sizeBytes, unused));
    await replaceDirectory(all, changed, unused, { size: BigInt(sizeBytes) });
  };
}

function requirePossible({ granularityBits }: BitmapEntry, sizeBytes: number): void {
  if (sizeBytes === 0) {
    throw new Qcow2Error({
      code: "QCOW2_UNSUPPORTED_FEATURE",
      message: "an empty disk has no bitmaps: remove them first",
    });
  }
  if (sizeBytes <= maxBitmapBits * 2 ** granularityBits) return;
  throw new Qcow2Error({
    code: "QCOW2_TABLE_TOO_LARGE",
    message: `a disk of ${sizeBytes} bytes needs a bitmap of more than ${maxBitmapBits} bits`,
    hint: "remove the bitmap, and add one of a larger granularity",
  });
}

/** Writes the table of a bitmap for a disk of another size, and notes what only the old one uses. */
async function resizeOne(
  parts: ChangeParts,
  entry: BitmapEntry,
  sizeBytes: number,
  unused: UnusedRange[],
): Promise<BitmapEntry> {
  const { fresh, reader, header, maxMetadataBytes } = parts;
  const { clusterBits, size } = header.header;
  const clusterSize = 2 ** clusterBits;
  const { tableOffset, granularityBits } = entry;
  const budget = new MemoryBudget(maxMetadataBytes);
  const old = await readBitmapTable(reader, entry, clusterSize, budget);
  const tableEntries = bitmapTableEntries(
    { size: BigInt(sizeBytes), clusterBits },
    granularityBits,
  );
  budget.take(tableEntries * 24, "bitmap table");
  const table: BitmapPart[] = old.slice(0, tableEntries);
  while (table.length < tableEntries) table.push("zeros");
  const kept = Math.ceil(Math.min(Number(size), sizeBytes) / 2 ** granularityBits);
  await cutPart(parts, table, kept, sizeBytes > Number(size));
  const bytes = new Uint8Array(Math.ceil((tableEntries * 8) / clusterSize) * clusterSize);
  bytes.set(serializeBitmapTable(table));
  const offset = await fresh.write(bytes, "bitmap table");
  unused.push({
    offset: tableOffset,
    lengthBytes: entry.tableEntries * 8,
    structure: "bitmap table",
  });
  for (const [index, part] of old.entries()) {
    if (typeof part !== "number" || part === table[index]) continue;
    unused.push({ offset: part, lengthBytes: clusterSize, structure: "bitmap data" });
  }
  return { ...entry, tableOffset: offset, tableEntries };
}

/** Makes the bits behind the last one that is kept zeros, in the part that holds both, in a cluster of its own. */
async function cutPart(
  { fresh, reader, header }: ChangeParts,
  table: BitmapPart[],
  keptBits: number,
  isLarger: boolean,
): Promise<void> {
  const clusterSize = 2 ** header.header.clusterBits;
  const index = Math.floor(keptBits / (clusterSize * 8));
  const within = keptBits % (clusterSize * 8);
  const part = table[index];
  if (within === 0 || part === undefined || part === "zeros") return;
  // Without a new part behind it, what would be cut off stands for nothing.
  if (part === "ones" && !isLarger) return;
  const bits =
    part === "ones" ? new Uint8Array(clusterSize) : await readBitmapPart(reader, part, clusterSize);
  if (part === "ones") setBits(bits, 0, within - 1);
  else if (!clearBitsFrom(bits, within)) return;
  table[index] = await fresh.write(bits, "bitmap data");
}
