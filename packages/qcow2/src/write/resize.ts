import { viewOf, writeU64 } from "../bytes/big-endian.ts";
import { requirePreallocation } from "../create/create-options.ts";
import { Qcow2Error } from "../errors.ts";
import { formatLimits, headerFields } from "../header/layout.ts";
import type { ImageInfo } from "../inspect/image-info.ts";
import type { LiveHeader } from "../inspect/live-header.ts";
import type { Qcow2Layer } from "../read/qcow2-layer.ts";
import { FreshTables } from "./fresh-tables.ts";
import type { ImageStore } from "./image-store.ts";

/** How the size of a disk is changed. */
export interface ResizeOptions {
  /** Allows a smaller size: what lies behind the new end is lost. */
  readonly shrink?: boolean;
  /**
   * How much of the new part is made at once: `metadata` gives every cluster its place, which needs version 3, and
   * `full` also writes zeros. `off` unless given.
   */
  readonly preallocation?: "off" | "metadata" | "full";
  /** Told how far preallocating is, in bytes of the disk. */
  readonly onProgress?: (progress: {
    readonly doneBytes: number;
    readonly totalBytes: number;
  }) => void;
}

/** What growing a disk needs. */
export interface GrowParts {
  /** Clusters and tables of the image, with nothing waiting. */
  readonly store: ImageStore;
  /** The disk. */
  readonly layer: Qcow2Layer;
  /** The header. */
  readonly header: LiveHeader;
  /** Makes a range of the disk read as zeros, and puts it into the file. */
  readonly zero: (start: number, length: number) => Promise<void>;
  /** Makes as much of a range as is asked for, and puts it into the file. */
  readonly preallocate: (start: number, end: number) => Promise<void>;
  /** Writes the new size to the header, and bitmaps of that size. */
  readonly setSize: () => Promise<void>;
}

/**
 * Refuses a new size that cannot be had. Judges only, writes nothing.
 *
 * @throws {@link Qcow2Error} `QCOW2_INVALID_ARGUMENT`, `QCOW2_UNSUPPORTED_FEATURE`, `QCOW2_IMAGE_TOO_LARGE`.
 */
export function requireResizable(
  info: ImageInfo,
  from: number,
  to: number,
  options: ResizeOptions,
): void {
  if (!Number.isSafeInteger(to) || to < 0) {
    throw refusal("QCOW2_INVALID_ARGUMENT", `the new size must be a whole number, not ${to}`);
  }
  requirePreallocation(options.preallocation ?? "off");
  if (to < from) requireShrinkable(options);
  if (info.version === 2 && info.snapshots.entries > 0) {
    throw refusal(
      "QCOW2_UNSUPPORTED_FEATURE",
      "version 2 does not store the size of its snapshots, so that a disk with some cannot be resized",
    );
  }
  requirePreallocatable(info, options);
  const lengthBytes = l1EntriesFor(info, to) * 8;
  if (lengthBytes > formatLimits.maxL1Bytes) {
    throw refusal("QCOW2_IMAGE_TOO_LARGE", `the disk needs an L1 table of ${lengthBytes} bytes`);
  }
}

function requireShrinkable({ shrink, preallocation = "off" }: ResizeOptions): void {
  if (!shrink) {
    throw refusal(
      "QCOW2_INVALID_ARGUMENT",
      "a smaller size loses what lies behind it, and is only set with the option shrink",
    );
  }
  if (preallocation !== "off") {
    throw refusal("QCOW2_INVALID_ARGUMENT", "a smaller disk has nothing to preallocate");
  }
}

function requirePreallocatable(info: ImageInfo, { preallocation = "off" }: ResizeOptions): void {
  if (preallocation === "off") return;
  if (preallocation === "metadata" && info.version === 2) {
    throw refusal(
      "QCOW2_UNSUPPORTED_FEATURE",
      "version 2 cannot give a cluster its place without writing it: use full",
    );
  }
}

/**
 * Makes a disk larger: a larger L1 table first, then zeros where the backing file would show through, and the new size
 * last, so that a crash leaves the old disk or the new one.
 */
export async function growDisk(parts: GrowParts, sizeBytes: number): Promise<void> {
  const { store, layer, header } = parts;
  const before = layer.sizeBytes;
  const entries = l1EntriesFor(header.info, sizeBytes);
  if (entries > layer.view.l1Entries) {
    await FreshTables.use(store, (fresh) => moveL1(parts, entries, fresh));
  }
  const old = layer.view;
  layer.moveTo({ ...old, sizeBytes });
  try {
    const { backing } = layer.parts;
    // A disk that was smaller may have left bytes in the rest of its last cluster.
    const { clusterSizeBytes } = header.info;
    const clusterEnd = Math.ceil(before / clusterSizeBytes) * clusterSizeBytes;
    const end = Math.min(sizeBytes, Math.max(clusterEnd, backing?.sizeBytes ?? 0));
    if (end > before) await parts.zero(before, end - before);
    await parts.preallocate(before, sizeBytes);
    await parts.setSize();
  } catch (error) {
    // What comes after the new size is written may fail too.
    if (Number(header.info.virtualSizeBytes) !== sizeBytes) layer.moveTo(old);
    throw error;
  }
  await store.host.flush();
}

/** Writes the size of a disk without bitmaps. */
export async function writeSize(
  { store, header }: Pick<GrowParts, "store" | "header">,
  sizeBytes: number,
): Promise<void> {
  const field = new Uint8Array(8);
  writeU64(viewOf(field), 0, sizeBytes);
  await store.host.writeDecision(headerFields.size, field, "header");
  header.update({ size: BigInt(sizeBytes) });
}

async function moveL1(
  { store, layer, header }: GrowParts,
  entries: number,
  fresh: FreshTables,
): Promise<void> {
  const { l1Offset, l1Entries } = layer.view;
  const clusterSize = header.info.clusterSizeBytes;
  const { cache, reader } = layer.parts;
  const clusters = Math.ceil((entries * 8) / clusterSize);
  const table = new Uint8Array(clusters * clusterSize);
  await reader.readExactly(l1Offset, l1Entries * 8, "L1 table", table);
  const offset = await fresh.write(table, "L1 table");
  await store.commit();
  // The number of entries and the offset lie next to each other and change in one write.
  const fields = new Uint8Array(12);
  viewOf(fields).setUint32(0, entries);
  writeU64(viewOf(fields), 4, offset);
  await store.host.writeDecision(headerFields.l1Size, fields, "header");
  fresh.keep();
  header.update({ l1Size: entries, l1TableOffset: offset });
  await store.host.flush();
  layer.moveTo({ ...layer.view, l1Offset: offset, l1Entries: entries });
  const oldBytes = Math.ceil((l1Entries * 8) / clusterSize) * clusterSize;
  cache.forget(l1Offset, oldBytes);
  cache.forget(offset, table.byteLength);
  if (oldBytes > 0) store.retire(l1Offset, oldBytes, "L1 table");
  await store.commit();
}

/** Entries of the L1 table of a disk. */
export function l1EntriesFor(info: ImageInfo, sizeBytes: number): number {
  const perTable = info.clusterSizeBytes / (info.hasExtendedL2 ? 16 : 8);
  return Math.ceil(sizeBytes / (perTable * info.clusterSizeBytes));
}

function refusal(
  code: "QCOW2_INVALID_ARGUMENT" | "QCOW2_UNSUPPORTED_FEATURE" | "QCOW2_IMAGE_TOO_LARGE",
  message: string,
): Qcow2Error {
  return new Qcow2Error({ code, message });
}
