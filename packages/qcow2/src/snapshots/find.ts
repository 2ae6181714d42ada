import { toDisplayText } from "../bytes/text.ts";
import { Qcow2Error } from "../errors.ts";
import { formatLimits } from "../header/layout.ts";

/** What is looked at to find a snapshot and to judge it. */
interface Findable {
  readonly id: Uint8Array | string;
  readonly name: Uint8Array | string;
}

/**
 * Finds a snapshot by its id, or by its name when no id matches; the first one where several match.
 *
 * @throws {@link Qcow2Error} `QCOW2_SNAPSHOT_NOT_FOUND`.
 */
export function findSnapshot<Found extends Findable>(
  snapshots: readonly Found[],
  idOrName: string,
): Found {
  const found =
    snapshots.find(({ id }) => textOf(id) === idOrName) ??
    snapshots.find(({ name }) => textOf(name) === idOrName);
  if (found !== undefined) return found;
  throw new Qcow2Error({
    code: "QCOW2_SNAPSHOT_NOT_FOUND",
    message: `the image has no snapshot ${JSON.stringify(idOrName)}`,
    details: { snapshot: idOrName },
  });
}

/** The disk of a snapshot. */
interface SnapshotDisk {
  readonly id: string;
  readonly l1Offset: number;
  readonly l1Entries: number;
  readonly diskSizeBytes: bigint;
  readonly entryOffset: number;
}

/**
 * Refuses a snapshot whose disk cannot be.
 *
 * @throws {@link Qcow2Error} `QCOW2_SNAPSHOT_INVALID`.
 */
export function requirePossibleDisk(
  { id, l1Offset, l1Entries, diskSizeBytes, entryOffset }: SnapshotDisk,
  clusterSize: number,
  fileSize: number,
): void {
  const isPossible =
    l1Offset % clusterSize === 0 &&
    l1Entries * 8 <= formatLimits.maxL1Bytes &&
    l1Offset + l1Entries * 8 <= fileSize &&
    diskSizeBytes <= BigInt(Number.MAX_SAFE_INTEGER);
  if (isPossible) return;
  throw new Qcow2Error({
    code: "QCOW2_SNAPSHOT_INVALID",
    message: `the snapshot ${JSON.stringify(id)} has an impossible L1 table or disk size`,
    offset: entryOffset,
    structure: "snapshot table",
  });
}

function textOf(bytes: Uint8Array | string): string {
  return typeof bytes === "string" ? bytes : toDisplayText(bytes);
}
