/** What a walk counts besides what it finds. Only the active disk's clusters are counted, as in QEMU. */
export interface Tally {
  /** Guest clusters that have a cluster of their own or are compressed. */
  allocatedClusters: number;
  /** Of these, those that do not lie right behind the one before them in their L2 table; all compressed ones. */
  fragmentedClusters: number;
  /** Guest clusters that are compressed. */
  compressedClusters: number;
  /** The last cluster that is referenced or has a refcount. */
  highestCluster: number;
  /** Refcounts that could not be looked up. */
  checkErrors: number;
  /** Whether the refcounts say that their own structures must be built anew. */
  needsRebuild: boolean;
}

/** A tally at the beginning of a walk. */
export function emptyTally(): Tally {
  return {
    allocatedClusters: 0,
    fragmentedClusters: 0,
    compressedClusters: 0,
    highestCluster: 0,
    checkErrors: 0,
    needsRebuild: false,
  };
}
