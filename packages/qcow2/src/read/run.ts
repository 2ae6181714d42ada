/** Where a range of the virtual disk has its bytes. */
export type RunKind = "data" | "zero" | "unallocated" | "compressed";

/** A range of the virtual disk whose bytes are all in one place. */
export interface Run {
  /** What is there. */
  readonly kind: RunKind;
  /** First byte in the virtual disk. */
  readonly start: number;
  /** Length in bytes. */
  readonly length: number;
  /**
   * Where `start` is stored: for `data` and for `zero` with a cluster of its own its host offset; for `compressed` where
   * the compressed bytes of its cluster start. -1 when it is stored nowhere.
   */
  readonly hostOffset: number;
  /** For `compressed`: bytes to read, up to the end of the last sector. */
  readonly storedBytes: number;
}

/** Joins a run to the one before it when both are one range in the same place. */
export function joinRuns(before: Run, next: Run): Run | undefined {
  if (before.kind !== next.kind || next.kind === "compressed") return undefined;
  const isContiguous =
    before.hostOffset < 0
      ? next.hostOffset < 0
      : next.hostOffset === before.hostOffset + before.length;
  return isContiguous ? { ...before, length: before.length + next.length } : undefined;
}
