import type { Qcow2Image } from "../image.ts";
import type { Extent } from "../read/disk-layer.ts";

/** One element of what `qemu-img map --output=json` prints. */
export interface QemuMapEntry {
  /** First byte in the virtual disk. */
  readonly start: number;
  /** Length in bytes. */
  readonly length: number;
  /** Which image of the chain it comes from: 0 is the top one. */
  readonly depth: number;
  /** Whether an image of the chain says what is there. */
  readonly present: boolean;
  /** Whether it reads as zeros without a look at the bytes. */
  readonly zero: boolean;
  /** Whether there are bytes to read. */
  readonly data: boolean;
  /** Where they are, when they are neither compressed nor encrypted. */
  readonly offset?: number;
}

/**
 * What `qemu-img map --output=json` of QEMU 7.2 prints about an open image, as plain data.
 *
 * QEMU also asks the file system for holes in raw files and in images that look preallocated; that knowledge is not to
 * be had through `RandomAccess`, so such ranges are data here.
 */
export async function toQemuMap(image: Qcow2Image): Promise<QemuMapEntry[]> {
  const length = image.sizeBytes - (image.sizeBytes % 512);
  const entries: QemuMapEntry[] = [];
  for await (const extent of image.extents({ length })) {
    const entry = toEntry(extent);
    const last = entries.at(-1);
    if (last && canJoin(last, entry)) {
      entries[entries.length - 1] = { ...last, length: last.length + entry.length };
    } else entries.push(entry);
  }
  return entries.length > 0 ? entries : [emptyDisk];
}

/** QEMU prints one element for a disk of no bytes. */
const emptyDisk: QemuMapEntry = {
  start: 0,
  length: 0,
  depth: 0,
  present: false,
  zero: false,
  data: false,
};

function toEntry(extent: Extent): QemuMapEntry {
  const { start, length, depth, kind, hostOffset, isEncrypted } = extent;
  const data = kind === "data" || kind === "compressed";
  const isPlaced = hostOffset !== undefined && !isEncrypted;
  return {
    start,
    length,
    depth,
    present: kind !== "unallocated",
    zero: !data,
    data,
    ...(isPlaced && { offset: hostOffset }),
  };
}

function canJoin(last: QemuMapEntry, next: QemuMapEntry): boolean {
  const isAlike =
    last.depth === next.depth &&
    last.present === next.present &&
    last.zero === next.zero &&
    last.data === next.data;
  if (!isAlike) return false;
  if (last.offset === undefined) return next.offset === undefined;
  return next.offset === last.offset + last.length;
}
