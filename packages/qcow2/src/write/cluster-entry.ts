import { copiedFlagHigh, entryOffset, isCopied } from "../tables/l1-entry.ts";
import {
  type CompressedRange,
  compressedRange,
  type L2Format,
  l2EntryKind,
} from "../tables/l2-entry.ts";

/**
 * An L2 entry in a form that is the same with and without subclusters: a cluster has 32 units with extended L2 entries
 * and one without.
 */
export interface ClusterEntry {
  /** Where the compressed bytes are; `undefined` for a cluster that is not compressed. */
  readonly compressed?: CompressedRange;
  /** Where the cluster is; -1 when it has none. */
  readonly host: number;
  /** Whether bit 63 says that nothing else uses the cluster. */
  readonly isCopied: boolean;
  /** Bit n: unit n has its bytes in the cluster. */
  readonly allocated: number;
  /** Bit n: unit n reads as zeros. */
  readonly zero: number;
}

/** Units of a cluster: the smallest part that is mapped by itself. */
export function unitsPerCluster(format: L2Format): number {
  return format.hasExtendedL2 ? 32 : 1;
}

/** The bits of units `first` to `last`. */
export function unitMask(first: number, last: number): number {
  const count = last - first + 1;
  return count === 32 ? -1 : ((1 << count) - 1) << first;
}

/** Reads an entry that reading the disk would accept. */
export function decodeEntry(view: DataView, position: number, format: L2Format): ClusterEntry {
  const high = view.getUint32(position);
  const low = view.getUint32(position + 4);
  const kind = l2EntryKind(high, low, format);
  if (kind === "compressed") {
    const compressed = compressedRange(high, low, format.clusterBits);
    return { compressed, host: -1, isCopied: false, allocated: 0, zero: 0 };
  }
  const hasHost = kind === "normal" || kind === "zero-allocated";
  const place = { host: hasHost ? entryOffset(high, low) : -1, isCopied: isCopied(high) };
  if (!format.hasExtendedL2) {
    const isZero = kind === "zero" || kind === "zero-allocated";
    return { ...place, allocated: kind === "normal" ? 1 : 0, zero: isZero ? 1 : 0 };
  }
  return {
    ...place,
    allocated: view.getUint32(position + 12) | 0,
    zero: view.getUint32(position + 8) | 0,
  };
}

/** Writes an entry that is not compressed; the reverse of {@link decodeEntry}. */
export function encodeEntry(
  view: DataView,
  position: number,
  entry: ClusterEntry,
  format: L2Format,
): void {
  const hasHost = entry.host >= 0;
  const offset = hasHost ? entry.host : 0;
  const copied = hasHost && entry.isCopied ? copiedFlagHigh : 0;
  const zeroFlag = !format.hasExtendedL2 && entry.zero !== 0 ? 1 : 0;
  view.setUint32(position, (Math.floor(offset / 2 ** 32) | copied) >>> 0);
  view.setUint32(position + 4, (offset % 2 ** 32) + zeroFlag);
  if (!format.hasExtendedL2) return;
  view.setUint32(position + 8, entry.zero);
  view.setUint32(position + 12, entry.allocated);
}
