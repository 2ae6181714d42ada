import { unitMask, unitsPerCluster } from "./cluster-entry.ts";
import type { ClusterWriter } from "./cluster-writer.ts";
import type { ImageStore } from "./image-store.ts";
import type { L2Finder } from "./l2-cursor.ts";

/** What preallocating needs. */
export interface PreallocateParts {
  /** Clusters and tables of the image. */
  readonly store: ImageStore;
  /** Writes to clusters. */
  readonly writer: ClusterWriter;
  /** Finds L2 entries. */
  readonly finder: L2Finder;
  /** Puts what is waiting into the file. */
  readonly commit: () => Promise<void>;
}

const zeroBytes = 2 ** 21;

/**
 * Gives every cluster of a range its place, where none has one yet. The range reads as zeros before and after: `metadata` sets
 * the zero flag, because a freed cluster may hold old bytes, and `full` writes zeros.
 */
export async function preallocateRange(
  parts: PreallocateParts,
  start: number,
  end: number,
  amount: "metadata" | "full",
): Promise<void> {
  const { store, writer, finder, commit } = parts;
  const { clusterSize } = finder;
  for (let at = Math.ceil(start / clusterSize) * clusterSize; at < end; ) {
    at +=
      amount === "full"
        ? await writer.writeSome(at, new Uint8Array(Math.min(zeroBytes, end - at)))
        : (await placeSome(parts, at / clusterSize, Math.ceil(end / clusterSize))) * clusterSize;
    if (store.isFull) await commit();
  }
}

/** Places clusters whose entries lie in one slice, and says how many that were. None of them has a place yet. */
async function placeSome(
  { store, finder }: PreallocateParts,
  cluster: number,
  endCluster: number,
): Promise<number> {
  const { format, clusterSize } = finder;
  const cursor = await finder.open(cluster, store);
  const count = Math.min(cursor.count, endCluster - cluster);
  const zero = unitMask(0, unitsPerCluster(format) - 1);
  for (let index = 0; index < count; ) {
    const { offset, clusters } = await store.allocate(count - index);
    const end = offset + clusters * clusterSize;
    // A cluster that has its place lies inside the file.
    if (end > store.host.sizeBytes) {
      await store.host.write(end - 1, new Uint8Array(1), "data cluster");
    }
    for (let step = 0; step < clusters; step++) {
      const host = offset + step * clusterSize;
      cursor.set(index + step, { host, isCopied: true, allocated: 0, zero });
    }
    index += clusters;
  }
  return count;
}
