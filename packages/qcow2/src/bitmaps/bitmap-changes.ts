import { MemoryBudget } from "../bytes/budget.ts";
import { type Name, nameKey } from "../bytes/name-index.ts";
import { toDisplayText, toNameBytes } from "../bytes/text.ts";
import { Qcow2Error } from "../errors.ts";
import { formatLimits } from "../header/layout.ts";
import type { LiveHeader } from "../inspect/live-header.ts";
import { type BitmapPart, readBitmapTable } from "./bitmap-table.ts";
import { DirtyPages } from "./dirty-pages.ts";
import { type BitmapEntry, bitmapFlags, bitmapTableEntries, maxBitmapBits } from "./parse.ts";
import {
  type DirtyRange,
  dirtyRangesOf,
  findBitmap,
  readBitmapDirectory,
  requireUsable,
} from "./read-bitmap.ts";
import { replaceDirectory, requireRoom, type UnusedRange } from "./replace-directory.ts";
import { bitmapDirectoryBytes } from "./serialize.ts";
import { type ChangeParts, storePages, writeFlags } from "./store-pages.ts";

/** A bitmap that is to be made. */
export interface AddBitmapOptions {
  /** Bytes that one bit stands for: a power of two, 512 bytes to 2 GiB; the cluster size within 4 to 64 KiB unless given. */
  readonly granularityBytes?: number;
  /** Whether it records writes from now on; `true` unless given. */
  readonly isEnabled?: boolean;
}

/** What is read to judge a change of the bitmaps. */
export type JudgeParts = Omit<ChangeParts, "store" | "fresh">;

/** A change that has been judged. */
export type BitmapChange = (parts: ChangeParts) => Promise<void>;

/**
 * Judges adding a bitmap; nothing is changed yet.
 *
 * @throws {@link Qcow2Error} `QCOW2_INVALID_ARGUMENT`, `QCOW2_BITMAP_EXISTS`, `QCOW2_UNSUPPORTED_FEATURE`,
 * `QCOW2_TABLE_TOO_LARGE`.
 */
export async function judgeAdd(
  parts: JudgeParts,
  name: Name,
  options: AddBitmapOptions,
): Promise<BitmapChange> {
  const entries = await readEntries(parts);
  const entry = newEntry(parts.header, name, options);
  if (entries.some((other) => nameKey(other.name) === nameKey(entry.name))) {
    throw new Qcow2Error({
      code: "QCOW2_BITMAP_EXISTS",
      message: `the image has a bitmap ${JSON.stringify(toDisplayText(entry.name))} already`,
    });
  }
  requireDirectoryFits([...entries, entry]);
  requireRoom(parts.header.area, [...entries, entry]);
  return async (all) => {
    const tableOffset = await writeEmptyTable(all, entry.tableEntries);
    await replaceDirectory(all, [...entries, { ...entry, tableOffset }], []);
  };
}

/**
 * Judges removing a bitmap, whatever its state; nothing is changed yet.
 *
 * @throws {@link Qcow2Error} `QCOW2_BITMAP_NOT_FOUND`, `QCOW2_BITMAP_INVALID`.
 */
export async function judgeRemove(parts: JudgeParts, name: Name): Promise<BitmapChange> {
  const entries = await readEntries(parts);
  const entry = findBitmap(entries, name);
  const unused = usedBy(parts, entry, await readTable(parts, entry));
  const kept = entries.filter((other) => other !== entry);
  return (all) => replaceDirectory(all, kept, unused);
}

/**
 * Judges clearing all bits of a bitmap; nothing is changed yet.
 *
 * @throws {@link Qcow2Error} `QCOW2_BITMAP_NOT_FOUND`, `QCOW2_BITMAP_IN_USE`, `QCOW2_BITMAP_INVALID`.
 */
export async function judgeClear(parts: JudgeParts, name: Name): Promise<BitmapChange> {
  const entries = await readEntries(parts);
  const entry = findBitmap(entries, name);
  requireUsable(entry);
  const unused = usedBy(parts, entry, await readTable(parts, entry));
  return async (all) => {
    const tableOffset = await writeEmptyTable(all, entry.tableEntries);
    const changed = entries.map((other) => (other === entry ? { ...entry, tableOffset } : other));
    await replaceDirectory(all, changed, unused);
  };
}

/** Judges making a bitmap record writes, or not any more; errors as {@link judgeClear}. */
export async function judgeEnable(
  parts: JudgeParts,
  name: Name,
  isEnabled: boolean,
): Promise<BitmapChange> {
  const entry = findBitmap(await readEntries(parts), name);
  requireUsable(entry);
  const flags = isEnabled ? entry.flags | bitmapFlags.auto : entry.flags & ~bitmapFlags.auto;
  return async ({ store }) => {
    await writeFlags(store, entry, flags);
    await store.host.flush();
  };
}

/**
 * Judges adding to a bitmap what another one marks, of the same image or, with `ranges`, of another one; errors as
 * {@link judgeClear}.
 */
export async function judgeMerge(
  parts: JudgeParts,
  name: Name,
  from: Name,
  ranges?: AsyncIterable<DirtyRange>,
): Promise<BitmapChange> {
  const entries = await readEntries(parts);
  const target = findBitmap(entries, name);
  const source = ranges ?? ownRanges(parts, findBitmap(entries, from));
  requireUsable(target);
  await readTable(parts, target);
  const clusterSize = parts.header.info.clusterSizeBytes;
  return async (all) => {
    const { store, maxMetadataBytes } = all;
    const pages = new DirtyPages(target, clusterSize);
    let isMarked = false;
    // The target is marked as late as can be: as long as memory suffices, a source that fails costs nothing.
    const storeMarked = async (): Promise<void> => {
      if (!isMarked) {
        isMarked = true;
        await writeFlags(store, target, target.flags | bitmapFlags.inUse);
        await store.host.flush();
      }
      await storePages(all, pages);
    };
    const unmark = async (): Promise<void> => {
      await writeFlags(store, target, target.flags);
      await store.host.flush();
    };
    try {
      for await (const { start, length } of source) {
        for (let at = start; at < start + length; ) {
          at = pages.mark(at, start + length);
          if (pages.sizeBytes > maxMetadataBytes / 4) await storeMarked();
        }
      }
      await storeMarked();
      await unmark();
    } catch (error) {
      // Bits were only added: the bitmap still has all that it has to have.
      if (isMarked) await unmark().catch(() => {});
      throw error;
    }
  };
}

/** What a bitmap of the image itself marks. */
function ownRanges(
  { reader, header, maxMetadataBytes }: JudgeParts,
  entry: BitmapEntry,
): AsyncIterable<DirtyRange> {
  requireUsable(entry);
  const { clusterSizeBytes: clusterSize, virtualSizeBytes } = header.info;
  const disk = { clusterSize, sizeBytes: Number(virtualSizeBytes) };
  return dirtyRangesOf(reader, entry, disk, new MemoryBudget(maxMetadataBytes));
}

function readEntries(parts: JudgeParts): Promise<BitmapEntry[]> {
  const budget = new MemoryBudget(parts.maxMetadataBytes);
  return readBitmapDirectory(parts.reader, parts.header.area, budget);
}

function readTable(parts: JudgeParts, entry: BitmapEntry): Promise<BitmapPart[]> {
  const budget = new MemoryBudget(parts.maxMetadataBytes);
  return readBitmapTable(parts.reader, entry, parts.header.info.clusterSizeBytes, budget);
}

function usedBy({ header }: JudgeParts, entry: BitmapEntry, table: BitmapPart[]): UnusedRange[] {
  const lengthBytes = header.info.clusterSizeBytes;
  const data = table.filter((part) => typeof part === "number");
  return [
    {
      offset: entry.tableOffset,
      lengthBytes: entry.tableEntries * 8,
      structure: "bitmap table",
    },
    ...data.map((offset) => ({ offset, lengthBytes, structure: "bitmap data" as const })),
  ];
}

async function writeEmptyTable({ fresh, header }: ChangeParts, entries: number): Promise<number> {
  const clusterSize = header.info.clusterSizeBytes;
  const bytes = new Uint8Array(Math.ceil((entries * 8) / clusterSize) * clusterSize);
  return fresh.write(bytes, "bitmap table");
}

function newEntry(
  { header, info }: LiveHeader,
  name: Name,
  { granularityBytes, isEnabled = true }: AddBitmapOptions,
): BitmapEntry {
  if (info.version === 2 || info.virtualSizeBytes === 0n) {
    throw new Qcow2Error({
      code: "QCOW2_UNSUPPORTED_FEATURE",
      message: "only version 3 images of disks that are not empty can have bitmaps",
    });
  }
  const nameBytes = requireName(name);
  const granularity = granularityBytes ?? Math.min(65536, Math.max(4096, info.clusterSizeBytes));
  const granularityBits = Math.log2(granularity);
  if (!Number.isInteger(granularityBits) || granularityBits < 9 || granularityBits > 31) {
    throw invalid(
      `the granularity of a bitmap is a power of two from 512 bytes to 2 GiB, not ${granularity}`,
    );
  }
  if (info.virtualSizeBytes > BigInt(maxBitmapBits) * BigInt(granularity)) {
    throw new Qcow2Error({
      code: "QCOW2_TABLE_TOO_LARGE",
      message: `a disk of ${info.virtualSizeBytes} bytes needs a bitmap of more than ${maxBitmapBits} bits`,
      hint: "choose a larger granularity",
    });
  }
  return {
    entryOffset: 0,
    name: nameBytes,
    tableOffset: 0,
    tableEntries: bitmapTableEntries(header, granularityBits),
    flags: isEnabled ? bitmapFlags.auto : 0,
    granularityBits,
    extra: new Uint8Array(0),
  };
}

function requireName(name: Name): Uint8Array {
  const bytes = toNameBytes(name);
  if (bytes.byteLength > 0 && bytes.byteLength <= 1023 && !bytes.includes(0)) return bytes;
  throw invalid(
    `the name of a bitmap has 1 to 1023 bytes without NUL, this one has ${bytes.byteLength}`,
  );
}

function requireDirectoryFits(entries: readonly BitmapEntry[]): void {
  const lengthBytes = bitmapDirectoryBytes(entries);
  const { maxBitmaps, maxBitmapDirectoryBytes } = formatLimits;
  if (entries.length <= maxBitmaps && lengthBytes <= maxBitmapDirectoryBytes) return;
  throw new Qcow2Error({
    code: "QCOW2_TABLE_TOO_LARGE",
    message: `${entries.length} bitmaps need a directory of ${lengthBytes} bytes; the limits are ${maxBitmaps} and ${maxBitmapDirectoryBytes}`,
    structure: "bitmap directory",
  });
}

function invalid(message: string): Qcow2Error {
  return new Qcow2Error({ code: "QCOW2_INVALID_ARGUMENT", message });
}
