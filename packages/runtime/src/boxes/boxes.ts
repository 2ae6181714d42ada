import { kindOf, toErrorReport } from "@box/errors";
import { settlePlan, type ValuesOf } from "@box/pipeline";
import type { WrittenArchive } from "../archive/export-box.ts";
import type { ImportedBox } from "../archive/import-box.ts";
import type { DiskSizes } from "../disks/resize-disk.ts";
import type { BoxSnapshot } from "../disks/snapshots.ts";
import { type InitValues, initPlan } from "../init/init-plan.ts";
import type { InitPolicy } from "../init/keys.ts";
import { BoxMachines } from "../machines/box-machines.ts";
import { settleStale } from "../machines/settle-stale.ts";
import type { StartServices } from "../machines/start-plan.ts";
import {
  type OperationOptions,
  type OperationWork,
  runOperation,
} from "../operations/run-operation.ts";
import type { RestoreValues } from "../restore/restore-plan.ts";
import {
  deleteBox,
  findBox,
  insertBox,
  listBoxes,
  moveBox,
  requireBox,
} from "../state/boxes-table.ts";
import type { BoxDetails, BoxRecord, BoxSummary } from "./box.ts";
import { lockNewBox } from "./box-lock.ts";
import type {
  ChangeBoxOptions,
  ChangedBox,
  CloneBoxOptions,
  CreateBoxOptions,
  ExportBoxOptions,
  ImportBoxOptions,
  ListBoxesOptions,
  PrepareBoxOptions,
  PreparedBox,
  RemoveBoxOptions,
  RemovedBox,
  RestoreBoxOptions,
  RestoredBox,
} from "./box-options.ts";
import { type BoxChange, changeBox, lockFor, requireIdle } from "./box-work.ts";
import type { ClonedBox } from "./clone-box.ts";
import { describeBox, summarizeBox } from "./describe-box.ts";
import { hasLabels } from "./labels.ts";
import { checkBoxName, nameTaken } from "./name.ts";
import { newBoxFrom } from "./new-box.ts";
import { settingsOf, workOf } from "./recorded-work.ts";
import { clearAbandonedBoxes } from "./recover.ts";
import { checkDisksUnused } from "./removal-plan.ts";
import { removeIdleBox } from "./remove-box.ts";
import { removeBoxFiles, removeBoxLock } from "./remove-files.ts";
import { renameChange } from "./rename-box.ts";
import { checkMove } from "./states.ts";

/** What a change of a snapshot gives. */
export interface ChangedSnapshot extends ChangedBox {
  /** The snapshot. */
  readonly snapshot: BoxSnapshot;
}

/** The boxes of a home. Made by `Runtime.open`. */
export class Boxes extends BoxMachines {
  readonly #services: StartServices;

  constructor(services: StartServices) {
    super(services);
    this.#services = services;
  }

  /**
   * Makes a box and both its disks. When it fails nothing of it is left.
   *
   * @throws RuntimeError `BOX_NAME_INVALID`, `BOX_NAME_TAKEN`, `BOX_LABEL_INVALID`; errors of images, bases and overlays.
   */
  async create(options: CreateBoxOptions): Promise<PreparedBox> {
    const box = await newBoxFrom(this.#services, options);
    const { home } = this.#services;
    await this.#clearAbandoned(box.name);
    await using _lock = await lockNewBox(home, box, `creating ${box.name}`);
    const policy: InitPolicy = { recreateDisk: false, pull: options.pull ?? "missing" };
    const prepared = await this.#runInit("create", box, policy, options, {
      begin: (database) => {
        if (findBox(database, box.name) !== undefined) throw nameTaken(box.name);
        insertBox(database, box);
      },
      succeed: (database) => moveBox(database, box.id, "created", { nowMs: this.#now() }),
      recover: () => removeBoxFiles(home, box.id),
      fail: (database) => deleteBox(database, box.id),
    }).catch(async (error: unknown) => {
      const isGone = findBox(this.#services.state.database, box.id) === undefined;
      if (isGone) await removeBoxLock(home, box.id).catch(() => {});
      throw error;
    });
    return prepared;
  }

  /**
   * Runs the init pipeline up to the VM: applies the overlay rules to both disks.
   *
   * @throws RuntimeError `BOX_NOT_FOUND`, `BOX_IN_USE`; RootfsError `OVERLAY_*` when the rules refuse.
   */
  async prepare(nameOrId: string, options: PrepareBoxOptions = {}): Promise<PreparedBox> {
    const found = requireBox(this.#services.state.database, nameOrId);
    await using _lock = await lockFor(this.#services, found, "preparing", options);
    const box = await requireIdle(this.#services, found);
    // Refuses a box that is being created or removed before anything is done to it.
    checkMove(box.name, box.state, "failed");
    const policy: InitPolicy = { recreateDisk: options.recreateDisk ?? false, pull: "missing" };
    const prepared = await this.#runInit("prepare", box, policy, options, {
      begin: () => {},
      succeed: (database) =>
        moveBox(database, box.id, box.state === "failed" ? "created" : box.state, {
          nowMs: this.#now(),
        }),
      fail: (database, error) => {
        // Who stopped it knows why: the box is as it was.
        if (kindOf(error) === "aborted") return;
        moveBox(database, box.id, "failed", { nowMs: this.#now(), error: toErrorReport(error) });
      },
    });
    return prepared;
  }

  /**
   * Makes the lost or damaged bases of a box again, at their recorded paths and only to their recorded content. Bases are
   * read from end to end; those that are as recorded stay, and no overlay is touched. The box's state stays: preparing it judges its disks again.
   *
   * @throws RuntimeError `BOX_NOT_FOUND`, `BOX_IN_USE`, `BOX_BASE_FOREIGN`, `BOX_BASE_CHANGED`, `BOX_IMAGE_CHANGED`; RootfsError
   * `ROOTFS_BASE_DIGEST_MISMATCH`; errors of images. Nothing was changed then.
   */
  async restore(nameOrId: string, options: RestoreBoxOptions = {}): Promise<RestoredBox> {
    const { home, state, clock } = this.#services;
    const found = requireBox(state.database, nameOrId);
    await using _lock = await lockFor(this.#services, found, "restoring", options);
    const box = await requireIdle(this.#services, found);
    // Refuses a box that is being created or removed.
    checkMove(box.name, box.state, "failed");
    await checkDisksUnused(home, box);
    const { id, name } = box;
    const { restorePlan } = await import("../restore/restore-plan.ts");
    const plan = restorePlan(this.#services, box);
    const work = workOf(this.#services, "restore", box, options);
    const { values } = await runOperation<RestoreValues>(this.#services, {
      ...work,
      begin: () => {},
      run: (onEvent) => settlePlan(plan, { ...settingsOf(work, options), clock, onEvent }),
      succeed: () => {},
      fail: () => {},
    });
    return { id, name, operation: work.id, bases: values.restored_bases };
  }

  /** All boxes, by name; those with certain labels when asked for. */
  async list({ labels = [] }: ListBoxesOptions = {}): Promise<readonly BoxSummary[]> {
    const { database } = this.#services.state;
    const found = listBoxes(database);
    // What is told is true: a machine may have ended while nobody looked.
    const boxes = (await settleStale(this.#services, found)) ? listBoxes(database) : found;
    return boxes.filter((box) => hasLabels(box.labels, labels)).map(summarizeBox);
  }

  /**
   * Gives a box another name.
   *
   * @throws RuntimeError `BOX_NOT_FOUND`, `BOX_IN_USE`, `BOX_NAME_INVALID`, `BOX_NAME_TAKEN`.
   */
  async rename(
    nameOrId: string,
    newName: string,
    options: ChangeBoxOptions = {},
  ): Promise<ChangedBox> {
    checkBoxName(newName);
    await this.#clearAbandoned(newName);
    const found = requireBox(this.#services.state.database, nameOrId);
    const change = renameChange(found, newName, () => this.#now());
    return this.#changed(await changeBox(this.#services, found.id, change, options));
  }

  /**
   * Makes a box with copies of both overlays of another, as they are, on the same bases. The other box is not changed.
   *
   * @throws RuntimeError `BOX_NOT_FOUND`, `BOX_IN_USE`, `BOX_NAME_INVALID`, `BOX_NAME_TAKEN`; RootfsError `OVERLAY_*` when a disk
   * is not sound; IoError. Nothing of the copy is left then.
   */
  async clone(nameOrId: string, options: CloneBoxOptions = {}): Promise<ClonedBox> {
    const { cloneBox } = await import("./clone-box.ts");
    return cloneBox(this.#services, nameOrId, options);
  }

  /**
   * Grows the user's disk. The file system on it grows when the guest grows it.
   *
   * @throws RuntimeError `BOX_NOT_FOUND`, `BOX_IN_USE`, `BOX_DISK_SHRINKS`; RootfsError `OVERLAY_*` when the disk is not sound.
   */
  async resize(
    nameOrId: string,
    sizeBytes: number,
    options: ChangeBoxOptions = {},
  ): Promise<ChangedBox & DiskSizes> {
    const { resizeChange } = await import("../disks/resize-disk.ts");
    const change = resizeChange(this.#services, sizeBytes);
    const done = await changeBox(this.#services, nameOrId, change, options);
    return { ...this.#changed(done), ...done.result };
  }

  /**
   * Writes an archive of a box with checksums, which another home imports: its record, both overlays with their snapshots, and
   * their bases. The file must not exist; it appears whole or not at all. The box is not changed.
   *
   * @param path - Absolute path of the archive.
   * @throws RuntimeError `BOX_NOT_FOUND`, `BOX_IN_USE`, `BOX_BASE_FOREIGN`, `BOX_EXPORT_DAMAGED`; RootfsError `OVERLAY_*`; IoError.
   */
  async export(
    nameOrId: string,
    path: string,
    options: ExportBoxOptions = {},
  ): Promise<ChangedBox & { readonly archive: WrittenArchive }> {
    const { withBases = true } = options;
    const { exportChange } = await import("../archive/export-box.ts");
    const change = exportChange(this.#services, { path, withBases });
    const done = await changeBox(this.#services, nameOrId, change, options);
    return { ...this.#changed(done), archive: done.result };
  }

  /**
   * Makes a box from an archive that {@link Boxes.export} wrote, on this machine or another, with its bases. When it fails
   * nothing of the box is left.
   *
   * @throws RuntimeError `BOX_ARCHIVE_CORRUPT`, `BOX_ARCHIVE_TOO_NEW`, `BOX_NAME_INVALID`, `BOX_NAME_TAKEN`; IoError.
   */
  async import(path: string, options: ImportBoxOptions = {}): Promise<ImportedBox> {
    const { importBox } = await import("../archive/import-box.ts");
    return importBox(this.#services, path, options);
  }

  /** The snapshots of the user's disk, the oldest first. @throws RuntimeError `BOX_NOT_FOUND`; RootfsError `OVERLAY_*`. */
  async listSnapshots(
    nameOrId: string,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<readonly BoxSnapshot[]> {
    const box = requireBox(this.#services.state.database, nameOrId);
    const { signal = new AbortController().signal } = options;
    const { listSnapshots } = await import("../disks/snapshots.ts");
    const { withUserImage } = await import("../disks/user-image.ts");
    return withUserImage(this.#services, box, { mode: "r", signal }, listSnapshots);
  }

  /**
   * Takes a snapshot of the user's disk. The guest disk has none: it holds nothing that is not made again.
   *
   * @throws RuntimeError `BOX_SNAPSHOT_NAME_INVALID`, `BOX_SNAPSHOT_NAME_TAKEN`, and as {@link Boxes.resize}.
   */
  async createSnapshot(
    nameOrId: string,
    snapshot: string,
    options: ChangeBoxOptions = {},
  ): Promise<ChangedSnapshot> {
    const { createSnapshotChange } = await import("../disks/snapshots.ts");
    return this.#snapshot(nameOrId, createSnapshotChange(this.#services, snapshot), options);
  }

  /**
   * Makes the user's disk what it was when a snapshot was taken. What was written since is lost.
   *
   * @throws RuntimeError `BOX_SNAPSHOT_NOT_FOUND`, and as {@link Boxes.resize}.
   */
  async restoreSnapshot(
    nameOrId: string,
    snapshot: string,
    options: ChangeBoxOptions = {},
  ): Promise<ChangedSnapshot> {
    const { restoreSnapshotChange } = await import("../disks/snapshots.ts");
    return this.#snapshot(nameOrId, restoreSnapshotChange(this.#services, snapshot), options);
  }

  /** Removes a snapshot. @throws RuntimeError `BOX_SNAPSHOT_NOT_FOUND`, and as {@link Boxes.resize}. */
  async removeSnapshot(
    nameOrId: string,
    snapshot: string,
    options: ChangeBoxOptions = {},
  ): Promise<ChangedSnapshot> {
    const { removeSnapshotChange } = await import("../disks/snapshots.ts");
    return this.#snapshot(nameOrId, removeSnapshotChange(this.#services, snapshot), options);
  }

  /** Everything about a box. @throws RuntimeError `BOX_NOT_FOUND`. */
  async inspect(nameOrId: string): Promise<BoxDetails> {
    const { home, state } = this.#services;
    await settleStale(this.#services, [requireBox(state.database, nameOrId)]);
    return describeBox(home, state.database, requireBox(state.database, nameOrId));
  }

  /**
   * Removes a box: its record and its own folder. Bases and images stay. Once it has begun it cannot be stopped.
   *
   * @throws RuntimeError `BOX_NOT_FOUND`, `BOX_IN_USE`; the signal's reason before it has begun.
   */
  async remove(nameOrId: string, options: RemoveBoxOptions = {}): Promise<RemovedBox> {
    const found = requireBox(this.#services.state.database, nameOrId);
    await using _lock = await lockFor(this.#services, found, "removing", {
      lockTimeoutMs: 0,
      ...options,
    });
    const box = await requireIdle(this.#services, found);
    return await removeIdleBox(this.#services, box, options);
  }

  async #snapshot(
    nameOrId: string,
    change: BoxChange<BoxSnapshot>,
    options: ChangeBoxOptions,
  ): Promise<ChangedSnapshot> {
    const done = await changeBox(this.#services, nameOrId, change, options);
    return { ...this.#changed(done), snapshot: done.result };
  }

  #changed({
    box,
    operation,
  }: {
    readonly box: BoxRecord;
    readonly operation: string;
  }): ChangedBox {
    const { home, state } = this.#services;
    const now = requireBox(state.database, box.id);
    return { box: describeBox(home, state.database, now), operation };
  }

  async #runInit(
    kind: "create" | "prepare",
    box: { readonly id: string; readonly name: string },
    policy: InitPolicy,
    options: OperationOptions,
    ends: Pick<OperationWork<InitValues>, "begin" | "succeed" | "recover" | "fail">,
  ): Promise<PreparedBox> {
    const { state, home, clock, tasks } = this.#services;
    const work = workOf(this.#services, kind, box, options);
    const { values, metrics } = await runOperation<InitValues>(this.#services, {
      ...work,
      ...ends,
      run: (onEvent) =>
        settlePlan(initPlan(kind, tasks), {
          ...settingsOf(work, options),
          clock,
          onEvent,
          inputs: { box: requireBox(state.database, box.id), policy },
        }),
    });
    return {
      box: describeBox(home, state.database, requireBox(state.database, box.id)),
      operation: work.id,
      container: (values as ValuesOf<InitValues>).container_rootfs,
      guest: (values as ValuesOf<InitValues>).guest_rootfs,
      metrics,
    };
  }

  /** A name may still be held by a box that was left half created or half removed. */
  async #clearAbandoned(name: string): Promise<void> {
    const { home, state } = this.#services;
    if (findBox(state.database, name) !== undefined) await clearAbandonedBoxes(home, state, name);
  }

  #now(): number {
    return this.#services.clock.now();
  }
}
