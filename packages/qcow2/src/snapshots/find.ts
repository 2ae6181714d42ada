import { toDisplayText } from "../bytes/text.ts";
import { Qcow2Error } from "../errors.ts";
import { formatLimits } from "../header/layout.ts";
import type { SnapshotEntry } from "./parse.ts";

/**
 * Finds a snapshot by its id, or by its name when no id matches; the first one where several match.
 *
 * @throws {@link Qcow2Error} `QCOW2_SNAPSHOT_NOT_FOUND`.
 */
export function findSnapshot(snapshots: readonly SnapshotEntry[], idOrName: string): SnapshotEntry {
  const found =
    snapshots.find(({ id }) => toDisplayText(id) === idOrName) ??
    snapshots.find(({ name }) => toDisplayText(name) === idOrName);
  if (found !== undefined) return found;
  throw snapshotNotFound(idOrName);
}

/** The refusal of a snapshot that is not there. */
export function snapshotNotFound(idOrName: string): Qcow2Error {
  return new Qcow2Error({
    code: "QCOW2_SNAPSHOT_NOT_FOUND",
    message: `the image has no snapshot ${JSON.stringify(idOrName)}`,
    details: { snapshot: idOrName },
  });
}

/**
 * Refuses a snapshot whose disk cannot be.
 *
 * @throws {@link Qcow2Error} `QCOW2_SNAPSHOT_INVALID`.
 */
export function requirePossibleDisk(
  { id, l1Offset, l1Size, diskSizeBytes, entryOffset }: SnapshotEntry,
  clusterSize: number,
  fileSize: number,
): void {
  const isPossible =
    l1Offset % clusterSize === 0 &&
    l1Size * 8 <= formatLimits.maxL1Bytes &&
    l1Offset + l1Size * 8 <= fileSize &&
    diskSizeBytes <= BigInt(Number.MAX_SAFE_INTEGER);
  if (isPossible) return;
  throw new Qcow2Error({
    code: "QCOW2_SNAPSHOT_INVALID",
    message: `the snapshot ${JSON.stringify(toDisplayText(id))} has an impossible L1 table or disk size`,
    offset: entryOffset,
    structure: "snapshot table",
  });
}
