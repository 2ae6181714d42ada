import type { MemoryBudget } from "../bytes/budget.ts";
import { type Name, NameIndex, shownName } from "../bytes/name-index.ts";
import type { SourceReader } from "../bytes/source-reader.ts";
import { toDisplayText } from "../bytes/text.ts";
import { Qcow2Error } from "../errors.ts";
import type { ImageInfo } from "../inspect/image-info.ts";
import type { HeaderArea } from "../inspect/read-header.ts";
import { readBitmapPart, readBitmapTable } from "./bitmap-table.ts";
import { setRuns } from "./bits.ts";
import { type BitmapEntry, bitmapFlags, parseBitmapDirectory } from "./parse.ts";

/** A range of a disk that a bitmap says was written. */
export interface DirtyRange {
  /** First byte. */
  readonly start: number;
  /** Length in bytes. */
  readonly length: number;
}

/**
 * Reads the bitmap directory; empty for an image without one that is valid.
 *
 * @throws {@link Qcow2Error} `QCOW2_BITMAP_INVALID`, `QCOW2_TRUNCATED` (corrupt), `QCOW2_METADATA_LIMIT`.
 */
export async function readBitmapDirectory(
  reader: SourceReader,
  { header, contents }: HeaderArea,
  budget: MemoryBudget,
): Promise<BitmapEntry[]> {
  const info = contents.bitmaps;
  if (info === undefined) return [];
  budget.take(info.lengthBytes, "bitmap directory");
  const bytes = await reader.readExactly(info.offset, info.lengthBytes, "bitmap directory");
  return parseBitmapDirectory(bytes, info, header);
}

/**
 * Refuses a change that bitmaps could not follow: `QCOW2_HAS_BITMAPS`.
 *
 * @param what - What the disk would get.
 */
export function requireNoBitmaps({ bitmaps }: ImageInfo, what: string): void {
  if (bitmaps === undefined) return;
  throw new Qcow2Error({
    code: "QCOW2_HAS_BITMAPS",
    message: `a disk with bitmaps cannot be given ${what} here: they would not say what changed`,
    hint: "remove the bitmaps first",
  });
}

/** The bitmap of a name; `QCOW2_BITMAP_NOT_FOUND` when there is none. */
export function findBitmap(entries: readonly BitmapEntry[], wanted: Name): BitmapEntry {
  const found = new NameIndex(entries, (entry) => entry.name).find(wanted);
  if (found !== undefined) return found;
  const name = shownName(wanted);
  throw new Qcow2Error({
    code: "QCOW2_BITMAP_NOT_FOUND",
    message: `the image has no bitmap ${JSON.stringify(name)}`,
    details: { bitmap: name },
  });
}

/** Whether the content of a bitmap may be relied on, and may be changed by who does not know its extra data. */
export function isUsable({ flags, extra }: BitmapEntry): boolean {
  const isKnown = extra.byteLength === 0 || (flags & bitmapFlags.extraDataCompatible) !== 0;
  return isKnown && (flags & bitmapFlags.inUse) === 0;
}

/** Refuses a bitmap that a writer left out of date: `QCOW2_BITMAP_IN_USE`. */
export function requireUsable(entry: BitmapEntry): void {
  if (isUsable(entry)) return;
  const name = toDisplayText(entry.name);
  throw new Qcow2Error({
    code: "QCOW2_BITMAP_IN_USE",
    message: `the bitmap ${JSON.stringify(name)} cannot be relied on: its last writer did not close the image, or it has extra data that is not known here`,
    offset: entry.entryOffset,
    structure: "bitmap directory",
    hint: "remove it; the next backup is then a full one",
  });
}

/** The ranges that a bitmap marks, in order and joined, inside a disk of so many bytes. */
export async function* dirtyRangesOf(
  reader: SourceReader,
  entry: BitmapEntry,
  disk: { readonly clusterSize: number; readonly sizeBytes: number },
  budget: MemoryBudget,
): AsyncGenerator<DirtyRange> {
  const { clusterSize, sizeBytes } = disk;
  const granularity = 2 ** entry.granularityBits;
  const bytesPerPart = clusterSize * 8 * granularity;
  let pending: DirtyRange | undefined;
  const parts = await readBitmapTable(reader, entry, clusterSize, budget);
  for (const [index, part] of parts.entries()) {
    if (part === "zeros") continue;
    for (const { first, count } of setRuns(await readBitmapPart(reader, part, clusterSize))) {
      const start = index * bytesPerPart + first * granularity;
      const length = Math.min(count * granularity, sizeBytes - start);
      if (length <= 0) break;
      if (pending && pending.start + pending.length === start) {
        pending = { start: pending.start, length: pending.length + length };
        continue;
      }
      if (pending) yield pending;
      pending = { start, length };
    }
  }
  if (pending) yield pending;
}
