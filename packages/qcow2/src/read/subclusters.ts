/** The bitmap of an extended L2 entry. */
export interface SubclusterBitmaps {
  /** Bit n: subcluster n reads as zeros. */
  readonly zero: number;
  /** Bit n: subcluster n has its bytes in the cluster. */
  readonly allocated: number;
}

/** What a part of a cluster with subclusters is. */
export interface SubclusterRange {
  /** What is there; `invalid` when the bitmaps contradict each other or the entry. */
  readonly kind: "data" | "zero" | "unallocated" | "invalid";
  /** Length in bytes. */
  readonly length: number;
}

/**
 * Finds the longest range of one kind.
 *
 * @param within - First byte in the cluster.
 * @param length - Bytes that are asked for, not past the end of the cluster.
 * @see qcow2 specification, "Extended L2 Entries"
 */
export function subclusterRange(
  bitmaps: SubclusterBitmaps,
  within: number,
  length: number,
  clusterSize: number,
  hasCluster: boolean,
): SubclusterRange {
  const size = clusterSize / 32;
  const first = Math.floor(within / size);
  const kind = kindAt(bitmaps, first, hasCluster);
  let end = first + 1;
  while (end * size < within + length && kindAt(bitmaps, end, hasCluster) === kind) end++;
  return { kind, length: Math.min(length, end * size - within) };
}

function kindAt(
  { zero, allocated }: SubclusterBitmaps,
  index: number,
  hasCluster: boolean,
): SubclusterRange["kind"] {
  const isZero = ((zero >>> index) & 1) === 1;
  const isAllocated = ((allocated >>> index) & 1) === 1;
  if (isZero && isAllocated) return "invalid";
  if (isZero) return "zero";
  if (!isAllocated) return "unallocated";
  return hasCluster ? "data" : "invalid";
}
