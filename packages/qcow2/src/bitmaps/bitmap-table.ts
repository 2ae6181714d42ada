import { viewOf, writeU64 } from "../bytes/big-endian.ts";
import type { MemoryBudget } from "../bytes/budget.ts";
import type { SourceReader } from "../bytes/source-reader.ts";
import { Qcow2Error } from "../errors.ts";
import { entryOffset } from "../tables/l1-entry.ts";
import type { BitmapEntry } from "./parse.ts";

/** What one cluster of a bitmap is stored as: where it is, or that all its bits are the same. */
export type BitmapPart = "zeros" | "ones" | number;

/**
 * Reads the table of a bitmap.
 *
 * @throws {@link Qcow2Error} `QCOW2_BITMAP_INVALID`, `QCOW2_TRUNCATED` (corrupt), `QCOW2_METADATA_LIMIT`.
 * @see qcow2 specification, "Bitmap table"
 */
export async function readBitmapTable(
  reader: SourceReader,
  { tableOffset, tableEntries }: BitmapEntry,
  clusterSize: number,
  budget: MemoryBudget,
): Promise<BitmapPart[]> {
  budget.take(tableEntries * 16, "bitmap table");
  const view = viewOf(await reader.readExactly(tableOffset, tableEntries * 8, "bitmap table"));
  const parts: BitmapPart[] = [];
  for (let index = 0; index < tableEntries; index++) {
    const high = view.getUint32(index * 8);
    const low = view.getUint32(index * 8 + 4);
    const offset = entryOffset(high, low);
    const hasReserved = (high & 0xff000000) !== 0 || (low & 0x1fe) !== 0;
    const isOnes = (low & 1) === 1;
    if (hasReserved || (isOnes && offset !== 0) || offset % clusterSize !== 0) {
      throw badEntry(tableOffset + index * 8);
    }
    parts.push(offset !== 0 ? offset : isOnes ? "ones" : "zeros");
  }
  return parts;
}

/** The bytes of a bitmap table. */
export function serializeBitmapTable(parts: readonly BitmapPart[]): Uint8Array {
  const bytes = new Uint8Array(parts.length * 8);
  const view = viewOf(bytes);
  for (const [index, part] of parts.entries()) {
    if (typeof part === "number") writeU64(view, index * 8, part);
    else if (part === "ones") bytes[index * 8 + 7] = 1;
  }
  return bytes;
}

/** The bits of one cluster of a bitmap. */
export async function readBitmapPart(
  reader: SourceReader,
  part: BitmapPart,
  clusterSize: number,
): Promise<Uint8Array> {
  if (typeof part === "number") return reader.readExactly(part, clusterSize, "bitmap data");
  return new Uint8Array(clusterSize).fill(part === "ones" ? 0xff : 0);
}

function badEntry(offset: number): Qcow2Error {
  return new Qcow2Error({
    code: "QCOW2_BITMAP_INVALID",
    message: `the bitmap table entry at byte ${offset} is misaligned or has reserved bits set`,
    offset,
    structure: "bitmap table",
  });
}
