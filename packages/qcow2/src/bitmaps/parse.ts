import { readU64, viewOf } from "../bytes/big-endian.ts";
import { Qcow2Error } from "../errors.ts";
import type { BitmapDirectoryInfo } from "../extensions/contents.ts";

/** Bytes of a bitmap directory entry before its extra data. */
export const bitmapEntryHeadBytes = 24;

/** A persistent bitmap as the directory describes it. */
export interface BitmapEntry {
  /** Where its entry starts in the directory, in bytes. */
  readonly entryOffset: number;
  /** Name; bytes. */
  readonly name: Uint8Array;
  /** Where its table is. */
  readonly tableOffset: number;
  /** Entries of its table. */
  readonly tableEntries: number;
  /** Flag bits: 0 in use, 1 enabled on open, 2 extra data may be ignored. */
  readonly flags: number;
  /** One bit stands for 2 to this power bytes. */
  readonly granularityBits: number;
  /** Extra data, kept when the directory is written again. */
  readonly extra: Uint8Array;
}

/** What must be known of the disk that bitmaps describe. */
export interface BitmapDisk {
  /** Size in bytes. */
  readonly size: bigint;
  /** Cluster size is 2 to this power. */
  readonly clusterBits: number;
}

/** Most bits of a bitmap; QEMU 7.2 takes none of more. */
export const maxBitmapBits: number = 2 ** 32;

/** Flags of a bitmap. */
export const bitmapFlags = { inUse: 1, auto: 2, extraDataCompatible: 4 } as const;

/**
 * Parses the bitmap directory.
 *
 * @param bytes - The whole directory.
 * @throws {@link Qcow2Error} `QCOW2_BITMAP_INVALID` (corrupt).
 * @see qcow2 specification, "Bitmap directory"
 */
export function parseBitmapDirectory(
  bytes: Uint8Array,
  info: BitmapDirectoryInfo,
  disk: BitmapDisk,
): BitmapEntry[] {
  const entries: BitmapEntry[] = [];
  let position = 0;
  while (position < bytes.byteLength) {
    const entry = parseEntry(bytes.subarray(position), info.offset + position, disk);
    entries.push(entry);
    const length = bitmapEntryHeadBytes + entry.extra.byteLength + entry.name.byteLength;
    position += Math.ceil(length / 8) * 8;
  }
  if (entries.length !== info.count || position !== bytes.byteLength) {
    throw bitmapError(
      info.offset,
      `the directory holds ${entries.length} bitmaps in ${position} bytes, the header says ${info.count} in ${info.lengthBytes}`,
    );
  }
  return entries;
}

function parseEntry(bytes: Uint8Array, entryOffset: number, disk: BitmapDisk): BitmapEntry {
  if (bytes.byteLength < bitmapEntryHeadBytes)
    throw bitmapError(entryOffset, "the entry is cut short");
  const view = viewOf(bytes);
  const extraBytes = view.getUint32(20);
  const nameBytes = view.getUint16(18);
  const nameStart = bitmapEntryHeadBytes + extraBytes;
  if (nameStart + nameBytes > bytes.byteLength) {
    throw bitmapError(entryOffset, "the entry runs past the end of the directory");
  }
  const entry: BitmapEntry = {
    entryOffset,
    name: bytes.slice(nameStart, nameStart + nameBytes),
    tableOffset: readU64(view, 0),
    tableEntries: view.getUint32(8),
    flags: view.getUint32(12),
    granularityBits: view.getUint8(17),
    extra: bytes.slice(bitmapEntryHeadBytes, nameStart),
  };
  validateEntry(entry, view.getUint8(16), disk);
  return entry;
}

function validateEntry(entry: BitmapEntry, type: number, disk: BitmapDisk): void {
  const { entryOffset, tableOffset, tableEntries, granularityBits, name, flags } = entry;
  if (type !== 1) throw bitmapError(entryOffset, `type ${type} is unknown`);
  if (name.byteLength === 0 || name.byteLength > 1023) {
    throw bitmapError(entryOffset, `the name has ${name.byteLength} bytes`);
  }
  if (granularityBits < 9 || granularityBits > 31) {
    throw bitmapError(entryOffset, `granularity_bits is ${granularityBits}, expected 9 to 31`);
  }
  if ((flags & ~7) !== 0) throw bitmapError(entryOffset, "reserved flags are set");
  const isAligned = tableOffset > 0 && tableOffset % 2 ** disk.clusterBits === 0;
  if (!isAligned || tableEntries === 0 || tableEntries > 0x8000000) {
    throw bitmapError(
      entryOffset,
      `its table of ${tableEntries} entries at byte ${tableOffset} is impossible`,
    );
  }
  const neededEntries = bitmapTableEntries(disk, granularityBits);
  if ((flags & bitmapFlags.inUse) === 0 && tableEntries !== neededEntries) {
    throw bitmapError(
      entryOffset,
      `its table has ${tableEntries} entries, the disk needs ${neededEntries}`,
    );
  }
}

/** Clusters that a bitmap of the whole disk fills; QEMU 7.2 refuses to open an image with any other number. */
export function bitmapTableEntries(
  { size, clusterBits }: BitmapDisk,
  granularityBits: number,
): number {
  const bytesPerCluster = 1n << BigInt(clusterBits + 3 + granularityBits);
  return Number((size + bytesPerCluster - 1n) / bytesPerCluster);
}

function bitmapError(offset: number, problem: string): Qcow2Error {
  return new Qcow2Error({
    code: "QCOW2_BITMAP_INVALID",
    message: `bitmap entry at byte ${offset}: ${problem}`,
    offset,
    structure: "bitmap directory",
  });
}
