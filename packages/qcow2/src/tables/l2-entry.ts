import { entryOffset, isCopied } from "./l1-entry.ts";

/** What an L2 entry says about its cluster, before subclusters are looked at. */
export type L2EntryKind = "unallocated" | "normal" | "zero" | "zero-allocated" | "compressed";

/** What must be known of an image to read its L2 entries. */
export interface L2Format {
  /** Cluster size is 2 to this power. */
  readonly clusterBits: number;
  /** Whether entries are 16 bytes with a subcluster bitmap. */
  readonly hasExtendedL2: boolean;
  /** Whether data is in an external file. */
  readonly hasDataFile: boolean;
  /** Format version; version 2 has no zero flag. */
  readonly version: 2 | 3;
}

/** Bit 62, in the high word. */
const compressedFlagHigh = 0x40000000;

/** Classifies an entry given as two words. */
export function l2EntryKind(high: number, low: number, format: L2Format): L2EntryKind {
  if ((high & compressedFlagHigh) !== 0) return "compressed";
  const offset = entryOffset(high, low);
  if (!format.hasExtendedL2 && (low & 1) !== 0) return offset === 0 ? "zero" : "zero-allocated";
  if (offset !== 0) return "normal";
  // Offset 0 of an external data file is the place of guest cluster 0.
  return format.hasDataFile && isCopied(high) ? "normal" : "unallocated";
}

/** Whether an uncompressed entry has bits set that must be zero. */
export function hasReservedL2Bits(high: number, low: number, format: L2Format): boolean {
  const hasZeroFlag = format.version === 3 && !format.hasExtendedL2;
  return (high & 0x3f000000) !== 0 || (low & (hasZeroFlag ? 0x1fe : 0x1ff)) !== 0;
}

/** Where the bytes of a compressed cluster are. */
export interface CompressedRange {
  /** First byte in the image file; any byte, not aligned. */
  readonly offset: number;
  /** Bytes up to the end of the last 512-byte sector; they may reach past the end of the file. */
  readonly lengthBytes: number;
}

/**
 * Decodes a compressed cluster descriptor.
 *
 * @see qcow2 specification, "Compressed Clusters Descriptor"
 */
export function compressedRange(high: number, low: number, clusterBits: number): CompressedRange {
  const highOffsetBits = 70 - clusterBits - 32;
  const offset = (high & (2 ** highOffsetBits - 1)) * 2 ** 32 + low;
  const additionalSectors = (high >>> highOffsetBits) & (2 ** (clusterBits - 8) - 1);
  return { offset, lengthBytes: (additionalSectors + 1) * 512 - (offset % 512) };
}

/** Writes a compressed cluster descriptor; the reverse of {@link compressedRange} but for the bytes after the last one. */
export function writeCompressedEntry(
  view: DataView,
  position: number,
  offset: number,
  lengthBytes: number,
  clusterBits: number,
): void {
  const additionalSectors = Math.floor((offset + lengthBytes - 1) / 512) - Math.floor(offset / 512);
  const highOffsetBits = 70 - clusterBits - 32;
  const high = Math.floor(offset / 2 ** 32) + additionalSectors * 2 ** highOffsetBits;
  view.setUint32(position, (compressedFlagHigh | high) >>> 0);
  view.setUint32(position + 4, offset % 2 ** 32);
}
