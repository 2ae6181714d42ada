import type { ErrorReport } from "@box/errors";
import type { MachineExit } from "@box/vm";
import type { BoxRecord, GuestRootfsRecord, ImageConfig } from "../boxes/box.ts";
import type { Labels } from "../boxes/labels.ts";
import { defaultRunSettings, type RunSettings } from "../boxes/run-settings.ts";
import { type BoxState, boxStates, checkMove } from "../boxes/states.ts";
import { RuntimeError } from "../errors.ts";
import { Columns } from "./columns.ts";
import type { Row, StateDatabase } from "./database.ts";

/** What a new box's record holds. */
export interface NewBox {
  /** 32 hex digits. */
  readonly id: string;
  /** Its name. */
  readonly name: string;
  /** The image that the user's disk is made from. */
  readonly imageReference: string;
  /** The system that boots. */
  readonly guestRootfs: GuestRootfsRecord;
  /** Size of the user's disk; 10 GiB or the base's when absent. */
  readonly diskSizeBytes?: number;
  /** Its labels. */
  readonly labels: Labels;
  /** Whether it goes away when it has stopped. */
  readonly autoRemove: boolean;
  /** How it runs; as boxes do about which nothing else was said, unless given. */
  readonly run?: RunSettings;
  /** Now, in milliseconds since 1970. */
  readonly nowMs: number;
}

/** What a task learns about a box's images. */
export interface LearnedImages {
  /** Digest of the image's manifest. */
  readonly imageDigest?: string;
  /** What the image says about running its programs. */
  readonly imageConfig?: ImageConfig;
  /** The system that boots, with what its image says. */
  readonly guestRootfs?: GuestRootfsRecord;
}

/** Stores a box that is being created. */
export function insertBox(database: StateDatabase, box: NewBox): void {
  database.run(
    `INSERT INTO boxes (id, name, state, image_reference, guest_rootfs, disk_size_bytes, labels, auto_remove,
       run_settings, created_ms, updated_ms)
     VALUES (:id, :name, 'creating', :reference, :guest, :diskSize, :labels, :autoRemove,
       :run, :now, :now)`,
    {
      id: box.id,
      name: box.name,
      reference: box.imageReference,
      guest: JSON.stringify(box.guestRootfs),
      diskSize: box.diskSizeBytes ?? null,
      labels: JSON.stringify(box.labels),
      autoRemove: box.autoRemove ? 1 : 0,
      run: JSON.stringify(box.run ?? defaultRunSettings),
      now: box.nowMs,
    },
  );
}

/** Stores a box that is being created as a copy of another: everything but its id, name and times is the same. */
export function cloneRow(
  database: StateDatabase,
  sourceId: string,
  copy: Pick<NewBox, "id" | "name" | "nowMs">,
): void {
  database.run(
    `INSERT INTO boxes (id, name, state, image_reference, image_digest, image_config, guest_rootfs, disk_size_bytes,
       labels, auto_remove, run_settings, created_ms, updated_ms)
     SELECT :id, :name, 'creating', image_reference, image_digest, image_config, guest_rootfs, disk_size_bytes,
       labels, auto_remove, run_settings, :now, :now FROM boxes WHERE id = :sourceId`,
    { id: copy.id, name: copy.name, now: copy.nowMs, sourceId },
  );
}

/** Gives a box another name. */
export function renameBox(database: StateDatabase, id: string, name: string, nowMs: number): void {
  database.run("UPDATE boxes SET name = :name, updated_ms = :now WHERE id = :id", {
    id,
    name,
    now: nowMs,
  });
}

/** A box by its name, or by its whole id. */
export function findBox(database: StateDatabase, nameOrId: string): BoxRecord | undefined {
  const row =
    database.get("SELECT * FROM boxes WHERE name = :key", { key: nameOrId }) ??
    database.get("SELECT * FROM boxes WHERE id = :key", { key: nameOrId });
  return row === undefined ? undefined : readBox(row);
}

/** @throws RuntimeError `BOX_NOT_FOUND`. */
export function requireBox(database: StateDatabase, nameOrId: string): BoxRecord {
  const box = findBox(database, nameOrId);
  if (box !== undefined) return box;
  throw new RuntimeError({
    code: "BOX_NOT_FOUND",
    message: `there is no box ${JSON.stringify(nameOrId.slice(0, 100))}`,
    details: { name: nameOrId.slice(0, 100) },
    hint: 'list the boxes with "box ls"',
  });
}

/** All boxes by name. */
export function listBoxes(database: StateDatabase): readonly BoxRecord[] {
  return database.all("SELECT * FROM boxes ORDER BY name").map(readBox);
}

/** Boxes whose state says that a machine may have their disks open. */
export function listBoxesInUse(database: StateDatabase): readonly BoxRecord[] {
  return database
    .all("SELECT * FROM boxes WHERE state IN ('starting', 'running', 'stopping') ORDER BY name")
    .map(readBox);
}

/** Boxes whose state says that no machine has their disks open. */
export function listIdleBoxes(
  database: StateDatabase,
): readonly Pick<BoxRecord, "id" | "name" | "state">[] {
  return database
    .all(
      "SELECT id, name, state FROM boxes WHERE state NOT IN ('starting', 'running', 'stopping') ORDER BY name",
    )
    .map((row) => {
      const columns = new Columns("boxes", row);
      const state = columns.oneOf("state", boxStates);
      return { id: columns.text("id"), name: columns.text("name"), state };
    });
}

/** Ids of all boxes, whatever their state. */
export function listBoxIds(database: StateDatabase): ReadonlySet<string> {
  return new Set(
    database.all("SELECT id FROM boxes").map((row) => new Columns("boxes", row).text("id")),
  );
}

/** Boxes that are being created or removed, or were left so; and those that were to go away when they had stopped. */
export function listUnfinishedBoxes(database: StateDatabase): readonly BoxRecord[] {
  return database
    .all(
      `SELECT * FROM boxes WHERE state IN ('creating', 'removing') OR (state = 'stopped' AND auto_remove = 1)
       ORDER BY name`,
    )
    .map(readBox);
}

/**
 * Moves a box to another state, within a transaction.
 *
 * @param error - Why it failed; an earlier error goes away when absent.
 * @throws RuntimeError `BOX_STATE_ILLEGAL`, `BOX_NOT_FOUND`.
 */
export function moveBox(
  database: StateDatabase,
  id: string,
  to: BoxState,
  change: {
    readonly nowMs: number;
    readonly error?: ErrorReport;
  },
): void {
  const box = requireBox(database, id);
  checkMove(box.name, box.state, to);
  database.run("UPDATE boxes SET state = :to, updated_ms = :now, error = :error WHERE id = :id", {
    id,
    to,
    now: change.nowMs,
    error: change.error === undefined ? null : JSON.stringify(change.error),
  });
}

/** Stores what a task learned about a box's images. */
export function learnImages(database: StateDatabase, id: string, learned: LearnedImages): void {
  database.run(
    `UPDATE boxes SET
       image_digest = coalesce(:digest, image_digest),
       image_config = coalesce(:config, image_config),
       guest_rootfs = coalesce(:guest, guest_rootfs)
     WHERE id = :id`,
    {
      id,
      digest: learned.imageDigest ?? null,
      config: jsonOrNull(learned.imageConfig),
      guest: jsonOrNull(learned.guestRootfs),
    },
  );
}

/** Forgets a box and what is recorded about its disks. */
export function deleteBox(database: StateDatabase, id: string): void {
  database.run("DELETE FROM boxes WHERE id = :id", { id });
}

function readBox(row: Row): BoxRecord {
  const columns = new Columns("boxes", row);
  const digest = columns.optionalText("image_digest");
  const imageConfig = columns.optionalJson<ImageConfig>("image_config");
  const diskSizeBytes = columns.optionalNumber("disk_size_bytes");
  const error = columns.optionalJson<ErrorReport>("error");
  const exit = columns.optionalJson<MachineExit>("last_exit");
  return {
    id: columns.text("id"),
    name: columns.text("name"),
    state: columns.oneOf("state", boxStates),
    image: {
      reference: columns.text("image_reference"),
      ...(digest === undefined ? {} : { digest }),
    },
    ...(imageConfig === undefined ? {} : { imageConfig }),
    guestRootfs: columns.json<GuestRootfsRecord>("guest_rootfs"),
    ...(diskSizeBytes === undefined ? {} : { diskSizeBytes }),
    labels: columns.json<Labels>("labels"),
    autoRemove: columns.flag("auto_remove"),
    run: columns.json<RunSettings>("run_settings"),
    restarts: columns.number("restarts"),
    stopRequested: columns.flag("stop_requested"),
    ...(exit === undefined ? {} : { exit }),
    createdMs: columns.time("created_ms"),
    updatedMs: columns.time("updated_ms"),
    ...(error === undefined ? {} : { error }),
  };
}

function jsonOrNull(value: object | undefined): string | null {
  return value === undefined ? null : JSON.stringify(value);
}
