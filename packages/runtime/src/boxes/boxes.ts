import { kindOf, toErrorReport } from "@box/errors";
import { randomIds, settlePlan, type TraceContext, type ValuesOf } from "@box/pipeline";
import { RuntimeError } from "../errors.ts";
import { type InitTasks, type InitValues, initPlan } from "../init/init-plan.ts";
import type { InitPolicy } from "../init/keys.ts";
import type { InitServices } from "../init/services.ts";
import {
  type OperationOptions,
  type OperationServices,
  type OperationWork,
  runOperation,
} from "../operations/run-operation.ts";
import { type RestoreValues, restorePlan } from "../restore/restore-plan.ts";
import {
  deleteBox,
  findBox,
  insertBox,
  listBoxes,
  moveBox,
  type NewBox,
  requireBox,
} from "../state/boxes-table.ts";
import type { BoxDetails, BoxRecord, BoxSummary } from "./box.ts";
import { lockBox } from "./box-lock.ts";
import type {
  CreateBoxOptions,
  PrepareBoxOptions,
  PreparedBox,
  RemoveBoxOptions,
  RemovedBox,
  RestoreBoxOptions,
  RestoredBox,
} from "./box-options.ts";
import { describeBox, summarizeBox } from "./describe-box.ts";
import { checkBoxName } from "./name.ts";
import { clearAbandonedBoxes } from "./recover.ts";
import { checkDisksUnused, removalPlan } from "./removal-plan.ts";
import { removeBoxFiles, removeBoxLock } from "./remove-files.ts";
import { checkMove, isInUse } from "./states.ts";

const defaultLockTimeoutMs = 30_000;

/** What {@link Boxes} works with. */
export interface BoxesServices extends InitServices, OperationServices {
  /** The tasks of the init pipeline. */
  readonly tasks: InitTasks;
}

/** The boxes of a home. Made by `Runtime.open`. */
export class Boxes {
  readonly #services: BoxesServices;

  constructor(services: BoxesServices) {
    this.#services = services;
  }

  /**
   * Makes a box and both its disks. When it fails nothing of it is left.
   *
   * @throws RuntimeError `BOX_NAME_INVALID`, `BOX_NAME_TAKEN`; errors of images, bases and overlays.
   */
  async create(options: CreateBoxOptions): Promise<PreparedBox> {
    const box = await this.#newBox(options);
    const { home } = this.#services;
    await this.#clearAbandoned(box.name);
    await using _lock = await lockBox(home, box, { command: `creating ${box.name}`, timeoutMs: 0 });
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
    await using _lock = await this.#lock(found, "preparing", options);
    const box = this.#requireIdle(found);
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
    await using _lock = await this.#lock(found, "restoring", options);
    const box = this.#requireIdle(found);
    // Refuses a box that is being created or removed.
    checkMove(box.name, box.state, "failed");
    await checkDisksUnused(home, box);
    const { id, name } = box;
    const plan = restorePlan(this.#services, box);
    const work = this.#work("restore", box, options);
    const { values } = await runOperation<RestoreValues>(this.#services, {
      ...work,
      begin: () => {},
      run: (onEvent) => settlePlan(plan, { ...this.#settings(work, options), clock, onEvent }),
      succeed: () => {},
      fail: () => {},
    });
    return { id, name, operation: work.id, bases: values.restored_bases };
  }

  /** All boxes, by name. */
  async list(): Promise<readonly BoxSummary[]> {
    return listBoxes(this.#services.state.database).map(summarizeBox);
  }

  /** Everything about a box. @throws RuntimeError `BOX_NOT_FOUND`. */
  async inspect(nameOrId: string): Promise<BoxDetails> {
    const { home, state } = this.#services;
    return describeBox(home, state.database, requireBox(state.database, nameOrId));
  }

  /**
   * Removes a box: its record and its own folder. Bases and images stay.
   *
   * @throws RuntimeError `BOX_NOT_FOUND`, `BOX_IN_USE`.
   */
  async remove(nameOrId: string, options: RemoveBoxOptions = {}): Promise<RemovedBox> {
    const { home, state, clock } = this.#services;
    const found = requireBox(state.database, nameOrId);
    await using _lock = await this.#lock(found, "removing", { lockTimeoutMs: 0, ...options });
    const box = this.#requireIdle(found);
    await checkDisksUnused(home, box);
    const { id, name } = box;
    const plan = removalPlan(home, box);
    const work = this.#work("remove", box, options);
    await runOperation(this.#services, {
      ...work,
      begin: (database) => moveBox(database, id, "removing", { nowMs: this.#now() }),
      run: (onEvent) => settlePlan(plan, { ...this.#settings(work, options), clock, onEvent }),
      succeed: (database) => deleteBox(database, id),
      fail: () => {},
    });
    await removeBoxLock(home, id);
    return { id, name, operation: work.id };
  }

  async #runInit(
    kind: "create" | "prepare",
    box: { readonly id: string; readonly name: string },
    policy: InitPolicy,
    options: OperationOptions,
    ends: Pick<OperationWork<InitValues>, "begin" | "succeed" | "recover" | "fail">,
  ): Promise<PreparedBox> {
    const { state, home, clock, tasks } = this.#services;
    const work = this.#work(kind, box, options);
    const { values, metrics } = await runOperation<InitValues>(this.#services, {
      ...work,
      ...ends,
      run: (onEvent) =>
        settlePlan(initPlan(kind, tasks), {
          ...this.#settings(work, options),
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

  #work(
    kind: OperationWork<never>["kind"],
    { id, name }: { readonly id: string; readonly name: string },
    options: OperationOptions,
  ): Pick<OperationWork<never>, "id" | "kind" | "box" | "trace" | "onEvent"> {
    const trace: TraceContext = options.trace ?? {
      traceId: randomIds.traceId(),
      spanId: randomIds.spanId(),
    };
    const operation = options.operation ?? this.#services.newId();
    return { id: operation, kind, box: { id, name }, trace, onEvent: options.onEvent };
  }

  #settings(work: { readonly trace: TraceContext }, { signal }: OperationOptions) {
    return { trace: work.trace, ...(signal === undefined ? {} : { signal }) };
  }

  async #newBox(options: CreateBoxOptions): Promise<NewBox> {
    const id = this.#services.newId();
    const name = options.name ?? `box-${id.slice(0, 8)}`;
    checkBoxName(name);
    const { source } = this.#services;
    const { guestRootfs = { type: "disk" }, diskSizeBytes } = options;
    const guestReference = guestRootfs.type === "disk" ? guestRootfs.reference : undefined;
    return {
      id,
      name,
      imageReference: await source.nameOf(options.image),
      guestRootfs:
        guestReference === undefined
          ? { type: guestRootfs.type }
          : { type: "disk", reference: await source.nameOf(guestReference) },
      ...(diskSizeBytes === undefined ? {} : { diskSizeBytes }),
      nowMs: this.#now(),
    };
  }

  /** A name may still be held by a box that was left half created or half removed. */
  async #clearAbandoned(name: string): Promise<void> {
    const { home, state } = this.#services;
    if (findBox(state.database, name) !== undefined) await clearAbandonedBoxes(home, state, name);
  }

  #lock(box: BoxRecord, doing: string, options: RemoveBoxOptions) {
    return lockBox(this.#services.home, box, {
      command: `${doing} ${box.name}`,
      timeoutMs: options.lockTimeoutMs ?? defaultLockTimeoutMs,
      signal: options.signal,
    });
  }

  /** The box as it is now that its lock is held. */
  #requireIdle(found: BoxRecord): BoxRecord {
    const box = requireBox(this.#services.state.database, found.id);
    if (!isInUse(box.state)) return box;
    throw new RuntimeError({
      code: "BOX_IN_USE",
      message: `box ${box.name} is ${box.state}`,
      details: { name: box.name, state: box.state },
      hint: "stop it first",
    });
  }

  #now(): number {
    return this.#services.clock.now();
  }
}

function nameTaken(name: string): RuntimeError {
  return new RuntimeError({
    code: "BOX_NAME_TAKEN",
    message: `there is a box ${name} already`,
    details: { name },
    hint: `choose another name, or remove it with "box rm ${name}"`,
  });
}
