import { type Name, NameIndex, shownName } from "../bytes/name-index.ts";
import { toDisplayText } from "../bytes/text.ts";
import { Qcow2Error } from "../errors.ts";
import { formatLimits } from "../header/layout.ts";
import type { SnapshotEntry } from "./parse.ts";

/**
 * Finds a snapshot by its id, or by its name when no id matches; the first one where several match.
 *
 * @throws {@link Qcow2Error} `QCOW2_SNAPSHOT_NOT_FOUND`.
 */
export function findSnapshot(snapshots: readonly SnapshotEntry[], idOrName: Name): SnapshotEntry {
  return new SnapshotIndex(snapshots).find(idOrName);
}

/** The snapshots of an image by id and by name. */
export class SnapshotIndex {
  readonly #byId: NameIndex<SnapshotEntry>;
  readonly #byName: NameIndex<SnapshotEntry>;

  constructor(snapshots: readonly SnapshotEntry[]) {
    this.#byId = new NameIndex(snapshots, ({ id }) => id);
    this.#byName = new NameIndex(snapshots, ({ name }) => name);
  }

  /** {@link findSnapshot} in these. */
  find(idOrName: Name): SnapshotEntry {
    const found = this.#byId.find(idOrName) ?? this.#byName.find(idOrName);
    if (found !== undefined) return found;
    throw snapshotNotFound(shownName(idOrName));
  }
}

/** The refusal of a snapshot that is not there. */
function snapshotNotFound(idOrName: string): Qcow2Error {
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
