import { throwIfAborted } from "../bytes/source-reader.ts";
import type { HostRange } from "../refcount/refcounts.ts";
import { type ClusterEntry, unitMask, unitsPerCluster } from "./cluster-entry.ts";
import type { ClusterWriter } from "./cluster-writer.ts";
import type { HostFile } from "./host-file.ts";
import type { ImageStore } from "./image-store.ts";
import type { L2Finder } from "./l2-cursor.ts";

/** What preallocating needs. */
export interface PreallocateParts {
  /** Clusters and tables of the image. */
  readonly store: ImageStore;
  /** Where data is: the image file or the external data file. */
  readonly data: HostFile;
  /** Whether the data file is the disk by itself. */
  readonly isRawData: boolean;
  /** Writes to clusters. */
  readonly writer: ClusterWriter;
  /** Finds L2 entries. */
  readonly finder: L2Finder;
  /** Puts what is waiting into the file. */
  readonly commit: () => Promise<void>;
  /** Ends it between two steps. */
  readonly signal: AbortSignal | undefined;
  /** Told how far it is, in bytes of the disk. */
  readonly onProgress: ((doneBytes: number) => void) | undefined;
}

const zeroBytes = 2 ** 21;

/**
 * Gives every cluster of a range its place, where none has one yet. The range reads as zeros before and after: `metadata` sets
 * the zero flag, because a freed cluster may hold old bytes, and `full` writes zeros. A data file has zeros there already.
 */
export async function preallocateRange(
  parts: PreallocateParts,
  start: number,
  end: number,
  amount: "metadata" | "full",
): Promise<void> {
  const { store, writer, finder, commit, signal, onProgress } = parts;
  const { clusterSize, format } = finder;
  if (amount === "full" && format.hasDataFile) await writeZeros(parts, start, end);
  const isWritten = amount === "full" && !format.hasDataFile;
  const units = placedUnits(parts, amount);
  for (let at = Math.ceil(start / clusterSize) * clusterSize; at < end; ) {
    at += isWritten
      ? await writer.writeSome(at, new Uint8Array(Math.min(zeroBytes, end - at)))
      : (await placeSome(parts, at / clusterSize, Math.ceil(end / clusterSize), units)) *
        clusterSize;
    if (store.isFull) await commit();
    throwIfAborted(signal);
    onProgress?.(Math.min(at, end));
  }
}

/** Places clusters whose entries lie in one slice, but those that have a place, and says how many entries that were. */
async function placeSome(
  parts: PreallocateParts,
  cluster: number,
  endCluster: number,
  units: Pick<ClusterEntry, "allocated" | "zero">,
): Promise<number> {
  const { store, finder } = parts;
  const { clusterSize } = finder;
  const cursor = await finder.open(cluster, store);
  const count = Math.min(cursor.count, endCluster - cluster);
  for (let index = 0; index < count; ) {
    let wanted = 0;
    while (index + wanted < count && cursor.get(index + wanted).host < 0) wanted++;
    // Zeros were stored where the backing file ends inside a cluster.
    if (wanted === 0) index++;
    if (wanted === 0) continue;
    const { offset, clusters } = await takePlaces(parts, cluster + index, wanted);
    for (let step = 0; step < clusters; step++) {
      const host = offset + step * clusterSize;
      cursor.set(index + step, { host, isCopied: true, ...units });
    }
    index += clusters;
  }
  return count;
}

/** What the units of a cluster are that has its place. */
function placedUnits(
  { finder: { format }, isRawData }: PreallocateParts,
  amount: "metadata" | "full",
): Pick<ClusterEntry, "allocated" | "zero"> {
  const all = unitMask(0, unitsPerCluster(format) - 1);
  if (amount === "full") return { allocated: all, zero: 0 };
  // Subclusters of a raw data file are left to be written, as where an image is made.
  if (isRawData) return { allocated: format.hasExtendedL2 ? 0 : all, zero: 0 };
  return { allocated: 0, zero: all };
}

/** Places for clusters of the disk: free ones of the image, or their own in a data file. */
async function takePlaces(
  { store, finder }: PreallocateParts,
  cluster: number,
  count: number,
): Promise<HostRange> {
  const { clusterSize, format } = finder;
  if (format.hasDataFile) return { offset: cluster * clusterSize, clusters: count };
  const range = await store.allocate(count);
  const end = range.offset + range.clusters * clusterSize;
  // A cluster that has its place lies inside the file.
  if (end > store.host.sizeBytes) {
    await store.host.write(end - 1, new Uint8Array(1), "data cluster");
  }
  return range;
}

async function writeZeros(
  { data, signal, onProgress }: PreallocateParts,
  start: number,
  end: number,
): Promise<void> {
  for (let at = start; at < end; at += zeroBytes) {
    throwIfAborted(signal);
    onProgress?.(at);
    await data.write(at, new Uint8Array(Math.min(zeroBytes, end - at)), "data cluster");
  }
}
