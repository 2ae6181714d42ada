import type { Extent } from "./disk-layer.ts";

/** Two extents as one, where the second goes on with the first. */
export function joinExtents(before: Extent, next: Extent): Extent | undefined {
  if (before.kind !== next.kind || before.depth !== next.depth) return undefined;
  const isContiguous =
    before.hostOffset === undefined
      ? next.hostOffset === undefined
      : next.hostOffset === before.hostOffset + before.length;
  return isContiguous ? { ...before, length: before.length + next.length } : undefined;
}
