import type { RandomAccess } from "@box/io";
import { throwIfAborted } from "../bytes/source-reader.ts";
import { diskExtents } from "../compare/paired-parts.ts";
import { readPart, sizeOf } from "../convert/source-chunks.ts";
import { dataRanges, zeroBlockBytes } from "../convert/zero-blocks.ts";
import {
  type CreateImageOptions,
  type CreateRequest,
  toCreateRequest,
} from "../create/create-options.ts";
import { planLayout } from "../create/plan-layout.ts";
import type { Bitmap } from "../describe/describe.ts";
import { Qcow2Image } from "../image.ts";

/** What the new image would be made as. The options for a fresh image count for the format qcow2 only. */
export interface MeasureOptions
  extends Pick<
    CreateImageOptions,
    "version" | "clusterSizeBytes" | "refcountBits" | "hasExtendedL2" | "preallocation"
  > {
  /** Format of the new image. */
  readonly format: "raw" | "qcow2";
  /** Whether it is to have a backing file: what the two have in common is not known then, so all is taken to differ. */
  readonly hasBackingFile?: boolean;
}

/** How {@link measureImage} measures. */
export interface MeasureImageOptions extends MeasureOptions {
  /**
   * Whether data is read to find blocks of 4 KiB that are all zeros. Without it only what the image says about itself
   * counts, which says nothing about the holes of a raw file.
   */
  readonly readsZeros?: boolean;
  /** Aborts between reads. */
  readonly signal?: AbortSignal;
}

/** File sizes that a new image needs, in bytes. */
export interface ImageMeasure {
  /** With the data that there is now. An upper bound: tables for the whole disk are counted. */
  readonly requiredBytes: number;
  /** With every cluster allocated. */
  readonly fullyAllocatedBytes: number;
  /** On top of either, for the source's bitmaps; absent where source or target cannot have any. */
  readonly bitmapsBytes?: number;
}

const readBytes = 2 ** 20;
const sectorBytes = 512;

/**
 * Says how large a file has to be for a new, empty disk: what `qemu-img measure --size` says. Pure.
 *
 * @throws {@link Qcow2Error} `QCOW2_INVALID_ARGUMENT`, `QCOW2_IMAGE_TOO_LARGE`.
 */
export function measureDisk(virtualSizeBytes: number, options: MeasureOptions): ImageMeasure {
  const request = requestOf(virtualSizeBytes, options);
  if (options.format === "raw") return rawMeasure(virtualSizeBytes);
  return qcow2Measure(request, request.preallocation === "full" ? "all" : 0);
}

/**
 * Says how large a file has to be for a copy of a disk, read over its whole chain: what `qemu-img measure` says.
 *
 * @param source - An open image, or any other file for a raw disk.
 * @throws {@link Qcow2Error} what reading throws, `QCOW2_INVALID_ARGUMENT`, `QCOW2_IMAGE_TOO_LARGE`, `QCOW2_ABORTED`.
 */
export async function measureImage(
  source: RandomAccess,
  options: MeasureImageOptions,
): Promise<ImageMeasure> {
  throwIfAborted(options.signal);
  const virtualSizeBytes = await sizeOf(source);
  if (options.format === "raw") return rawMeasure(virtualSizeBytes);
  const request = requestOf(virtualSizeBytes, options);
  const hasAll = options.hasBackingFile === true || request.preallocation === "full";
  const data = hasAll ? "all" : await clustersWithData(source, request, options);
  const measure = qcow2Measure(request, data);
  const hasBitmaps =
    request.version === 3 && source instanceof Qcow2Image && source.info.version === 3;
  if (!hasBitmaps) return measure;
  const { bitmaps } = await source.describe();
  return { ...measure, bitmapsBytes: bytesForBitmaps(bitmaps, request) };
}

/** The request for the new image; a backing file changes nothing about its own tables. */
function requestOf(virtualSizeBytes: number, options: MeasureOptions): CreateRequest {
  const { version, clusterSizeBytes, refcountBits, hasExtendedL2, preallocation } = options;
  return toCreateRequest({
    virtualSizeBytes,
    ...(version !== undefined && { version }),
    ...(clusterSizeBytes !== undefined && { clusterSizeBytes }),
    ...(refcountBits !== undefined && { refcountBits }),
    ...(hasExtendedL2 !== undefined && { hasExtendedL2 }),
    ...(preallocation !== undefined && { preallocation }),
  });
}

function rawMeasure(virtualSizeBytes: number): ImageMeasure {
  const sizeBytes = Math.ceil(virtualSizeBytes / sectorBytes) * sectorBytes;
  return { requiredBytes: sizeBytes, fullyAllocatedBytes: sizeBytes };
}

/** @param data - Number of clusters that hold data, or all of them. */
function qcow2Measure(request: CreateRequest, data: number | "all"): ImageMeasure {
  const layout = planLayout({ ...request, preallocatesL2: true, preallocatesData: true });
  const fullyAllocatedBytes = layout.usedClusters * layout.clusterSizeBytes;
  const absent = data === "all" ? 0 : layout.guestClusters - data;
  return {
    requiredBytes: fullyAllocatedBytes - absent * layout.clusterSizeBytes,
    fullyAllocatedBytes,
  };
}

/** Counts the clusters of the new image that hold any data of the source. */
async function clustersWithData(
  source: RandomAccess,
  { virtualSizeBytes, clusterBits }: CreateRequest,
  options: MeasureImageOptions,
): Promise<number> {
  const clusterSize = 2 ** clusterBits;
  let clusters = 0;
  let countedTo = 0;
  for await (const { start, length } of dataParts(source, virtualSizeBytes, options)) {
    const first = Math.max(countedTo, Math.floor(start / clusterSize));
    const end = Math.ceil((start + length) / clusterSize);
    clusters += Math.max(0, end - first);
    countedTo = Math.max(countedTo, end);
  }
  return clusters;
}

async function* dataParts(
  source: RandomAccess,
  sizeBytes: number,
  { readsZeros = false, signal }: MeasureImageOptions,
): AsyncGenerator<{ start: number; length: number }> {
  for await (const { start, length, kind } of diskExtents(source, sizeBytes)) {
    throwIfAborted(signal);
    if (kind !== "data" && kind !== "compressed") continue;
    if (!readsZeros) yield { start, length };
    for (let done = 0; readsZeros && done < length; done += readBytes) {
      throwIfAborted(signal);
      const part = new Uint8Array(Math.min(readBytes, length - done));
      await readPart(source, start + done, part);
      for (const { from, to } of dataRanges(part, zeroBlockBytes)) {
        yield { start: start + done + from, length: to - from };
      }
    }
  }
}

/** Clusters for bits and tables of all bitmaps that are in order, and for their directory. */
function bytesForBitmaps(
  bitmaps: readonly Bitmap[],
  { virtualSizeBytes, clusterBits }: CreateRequest,
): number {
  const clusterSize = 2 ** clusterBits;
  let clusters = 0;
  let directoryBytes = 0;
  for (const { nameBytes, granularityBytes } of bitmaps.filter(({ isInUse }) => !isInUse)) {
    const bits = Math.ceil(virtualSizeBytes / granularityBytes);
    const data = Math.ceil(Math.ceil(bits / 8) / clusterSize);
    clusters += data + Math.ceil((data * 8) / clusterSize);
    directoryBytes += Math.ceil((24 + nameBytes.byteLength) / 8) * 8;
  }
  return (clusters + Math.ceil(directoryBytes / clusterSize)) * clusterSize;
}
