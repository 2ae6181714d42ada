import { randomBytes } from "node:crypto";
import type { ImageStore } from "@box/oci-images";
import type { Clock } from "@box/pipeline";
import { BaseCache } from "@box/rootfs";
import type { Engine } from "@box/vm";
import { Boxes } from "./boxes/boxes.ts";
import { recoverHome } from "./boxes/recover.ts";
import type { HomeLayout } from "./home/layout.ts";
import { type OpenHomeOptions, openHome } from "./home/open-home.ts";
import { hostClock } from "./host-sources.ts";
import { type InitTasks, initTasks } from "./init/init-plan.ts";
import { MachineHandles } from "./machines/machine-handles.ts";
import { findOrphans, type OrphanMachine, settleStale } from "./machines/settle-stale.ts";
import type { StartServices } from "./machines/start-plan.ts";
import { Operations } from "./operations/operations.ts";
import { Bootstraps } from "./source/bootstraps.ts";
import type { ImageSource } from "./source/image-source.ts";
import { type ImageOptions, StoreImages } from "./source/store-images.ts";
import { listBoxesInUse } from "./state/boxes-table.ts";
import { StateStore } from "./state/state-store.ts";
import { Storage } from "./storage/storage.ts";

/** What {@link Runtime.open} takes. Nothing is read from the environment: the caller passes what users set there. */
export interface OpenRuntimeOptions extends OpenHomeOptions, ImageOptions {
  /** Where images come from; the home's image store unless given. */
  readonly images?: ImageSource;
  /** Where time comes from; the machine's clock unless given. */
  readonly clock?: Clock;
  /** What runs the machines of boxes; without it they cannot be started. */
  readonly engine?: Engine;
  /** Makes ids of 32 hex digits; random unless given. */
  readonly newId?: () => string;
  /** Stops waiting for another process that is making the home. */
  readonly signal?: AbortSignal;
}

/**
 * A home and its boxes. Several processes may have one home open at once.
 *
 * Close it when done: events that are not stored yet are stored then.
 */
export class Runtime implements AsyncDisposable {
  /** Where everything of the home lies. */
  readonly home: HomeLayout;
  /** The boxes. */
  readonly boxes: Boxes;
  /** What runs the machines of boxes, when there is something. */
  readonly engine: Engine | undefined;
  /** What was done to them, and what is being done. */
  readonly operations: Operations;
  /** The base disks of the home. */
  readonly bases: BaseCache;
  /** Where the space of the home goes, and what can be had back. */
  readonly storage: Storage;
  /** The tasks of the init pipeline, for plans of one's own. */
  readonly tasks: InitTasks;
  /** Opens the home's image store. */
  readonly imageStore: () => Promise<ImageStore>;
  readonly #state: StateStore;
  readonly #services: StartServices;
  readonly #handles = new MachineHandles();

  private constructor(home: HomeLayout, state: StateStore, options: OpenRuntimeOptions) {
    const { clock = hostClock, newId = randomId } = options;
    const store = new StoreImages(home.images, options);
    const source = options.images ?? store;
    const bases = new BaseCache({ directory: home.bases, locksDirectory: home.locks });
    const bootstraps = new Bootstraps({ source, bases });
    const services = { home, state, source, bases, bootstraps, clock, newId };
    this.#state = state;
    this.home = home;
    this.bases = bases;
    this.imageStore = () => store.store();
    this.storage = new Storage({ home, state, bases, clock, imageStore: this.imageStore });
    this.tasks = initTasks(services);
    this.operations = new Operations(state);
    const notify = () => this.operations.notify();
    const { engine } = options;
    this.engine = engine;
    this.#services = { ...services, tasks: this.tasks, notify, engine, handles: this.#handles };
    this.boxes = new Boxes(this.#services);
  }

  /**
   * Opens a home, makes it when it is not there, and puts right what dead processes left in it. One on a file system that cannot
   * be written to can be looked at.
   *
   * @throws RuntimeError `HOME_*`, `STATE_*`; IoError.
   */
  static async open(options: OpenRuntimeOptions): Promise<Runtime> {
    const home = await openHome(options);
    const { clock = hostClock } = options;
    const state = await StateStore.open(home, clock, options.signal);
    try {
      if (!state.database.isReadOnly) await recoverHome(home, state, clock);
      const runtime = new Runtime(home, state, options);
      await settleStale(runtime.#services, listBoxesInUse(state.database));
      return runtime;
    } catch (error) {
      state[Symbol.dispose]();
      throw error;
    }
  }

  /**
   * Finds machines that run although their boxes are not recorded as running. Nobody takes them over: such a box cannot be
   * started until its machine has ended.
   */
  async findOrphans(): Promise<readonly OrphanMachine[]> {
    return findOrphans(this.#services);
  }

  /** Stores what waits to be stored and closes the state. Boxes go on running. Operations that run must have ended. */
  async close(): Promise<void> {
    await this.#handles.close();
    this.#state[Symbol.dispose]();
  }

  /** Closes it; see {@link Runtime.close}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

function randomId(): string {
  return randomBytes(16).toString("hex");
}
