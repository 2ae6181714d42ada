import type { Qcow2Image, Snapshot } from "@box/qcow2";
import type { BoxChange } from "../boxes/box-work.ts";
import { checkBoxName } from "../boxes/name.ts";
import { RuntimeError } from "../errors.ts";
import type { BoxChangeName } from "../events.ts";
import type { InitServices } from "../init/services.ts";
import { setDiskSize } from "../state/disks-table.ts";
import { withUserImage } from "./user-image.ts";

/** A snapshot of the user's disk of a box. */
export interface BoxSnapshot {
  /** Its name, unique in the box. */
  readonly name: string;
  /** When it was taken: ISO 8601, UTC. */
  readonly createdAt: string;
  /** Size of the disk at that time in bytes. */
  readonly virtualSizeBytes: number;
}

/**
 * Snapshots are internal ones of the user's disk: the guest disk holds nothing that is not made again. Each change
 * happens at one moment, so that a process that dies leaves the disk as it was or as it is to be.
 */
export async function listSnapshots(image: Qcow2Image): Promise<readonly BoxSnapshot[]> {
  return (await image.snapshots()).map(toBoxSnapshot);
}

/** Takes a snapshot. Another of that name is refused: `BOX_SNAPSHOT_NAME_TAKEN`. */
export function createSnapshotChange(services: InitServices, name: string): BoxChange<BoxSnapshot> {
  checkSnapshotName(name);
  return change(
    services,
    "snapshot-create",
    "taking a snapshot of",
    "snapshot.created",
    async (image) => {
      if ((await image.snapshots()).some((snapshot) => snapshot.name === name)) throw taken(name);
      const date = new Date(services.clock.now());
      return image.createSnapshot(name, { date });
    },
  );
}

/** Makes the disk what it was, its size too. What was written since is lost. */
export function restoreSnapshotChange(
  services: InitServices,
  name: string,
): BoxChange<BoxSnapshot> {
  return change(
    services,
    "snapshot-restore",
    "restoring a snapshot of",
    "snapshot.restored",
    async (image) => {
      const snapshot = await find(image, name);
      await image.applySnapshot(snapshot.id);
      return snapshot;
    },
  );
}

/** Removes a snapshot and gives back what only it used. */
export function removeSnapshotChange(services: InitServices, name: string): BoxChange<BoxSnapshot> {
  return change(
    services,
    "snapshot-remove",
    "removing a snapshot of",
    "snapshot.removed",
    async (image) => {
      const snapshot = await find(image, name);
      await image.deleteSnapshot(snapshot.id);
      return snapshot;
    },
  );
}

function change(
  services: InitServices,
  kind: BoxChange<BoxSnapshot>["kind"],
  doing: string,
  event: BoxChangeName,
  work: (image: Qcow2Image) => Promise<Snapshot>,
): BoxChange<BoxSnapshot> {
  return {
    kind,
    doing,
    usesDisks: true,
    run: async (box, context) => {
      const { signal } = context;
      const [snapshot, sizeBytes] = await withUserImage(
        services,
        box,
        { mode: "rw", signal },
        async (image) => [toBoxSnapshot(await work(image)), await image.size()] as const,
      );
      const { state } = services;
      state.transaction((database) => setDiskSize(database, box.id, "user", sizeBytes));
      const done = event.slice("snapshot.".length);
      context.emit({
        type: "change",
        name: event,
        level: "info",
        message: `snapshot ${snapshot.name} of box ${box.name}: ${done}`,
        details: { snapshot: snapshot.name, virtualSizeBytes: sizeBytes },
      });
      return snapshot;
    },
  };
}

async function find(image: Qcow2Image, name: string): Promise<Snapshot> {
  const found = (await image.snapshots()).find((snapshot) => snapshot.name === name);
  if (found !== undefined) return found;
  throw new RuntimeError({
    code: "BOX_SNAPSHOT_NOT_FOUND",
    message: `the box has no snapshot ${JSON.stringify(name.slice(0, 100))}`,
    details: { snapshot: name.slice(0, 100) },
    hint: 'list its snapshots with "box snapshot ls NAME"',
  });
}

function checkSnapshotName(name: string): void {
  try {
    checkBoxName(name);
  } catch (error) {
    throw new RuntimeError({
      code: "BOX_SNAPSHOT_NAME_INVALID",
      message: `${JSON.stringify(name.slice(0, 100))} is no name for a snapshot`,
      details: { snapshot: name.slice(0, 100) },
      hint: "use 1 to 63 of the characters a-z, 0-9, dot, underscore and hyphen, a letter or digit first",
      cause: error,
    });
  }
}

function taken(name: string): RuntimeError {
  return new RuntimeError({
    code: "BOX_SNAPSHOT_NAME_TAKEN",
    message: `the box has a snapshot ${name} already`,
    details: { snapshot: name },
    hint: `choose another name, or remove it with "box snapshot rm NAME ${name}"`,
  });
}

function toBoxSnapshot({ name, dateSeconds, diskSizeBytes }: Snapshot): BoxSnapshot {
  return {
    name,
    createdAt: new Date(dateSeconds * 1000).toISOString(),
    virtualSizeBytes: Number(diskSizeBytes),
  };
}
