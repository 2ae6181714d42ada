import { BoxError } from "@box/errors";
import type { BoxDetails, BoxSnapshot, StorageUsage } from "@box/runtime";
import type {
  BoxService,
  CreateRequest,
  OperationRecord,
  PruneRequest,
  ServiceEvent,
  WorkContext,
} from "@box/server";

/** A step of work that a test lets through. */
export interface Gate {
  /** Lets the work go on. */
  open(): void;
  /** Makes the work fail. */
  fail(error: unknown): void;
}

type Verb = (name: string, request: object, context: WorkContext) => Promise<void>;

/** Boxes without disks: work tells events and waits for the test. */
export class FakeBoxes implements BoxService {
  readonly known: Map<string, BoxDetails> = new Map();
  readonly stored: Map<string, { record: OperationRecord; events: ServiceEvent[] }> = new Map();
  readonly created: CreateRequest[] = [];
  /** Set to hold work between its second and its third event. */
  gate: Promise<void> = Promise.resolve();
  /** Thrown by work before it tells anything. */
  firstFailure: unknown;

  readonly operations: BoxService["operations"] = {
    list: async () => [...this.stored.values()].map(({ record }) => record),
    find: async (id) => this.stored.get(id)?.record,
    events: async (id, after) =>
      (this.stored.get(id)?.events ?? []).filter(({ sequence }) => sequence > after),
  };

  /** Holds work until the test says how it goes on. */
  hold(): Gate {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    promise.catch(() => {});
    this.gate = promise;
    return { open: resolve, fail: reject };
  }

  async list(): Promise<BoxDetails[]> {
    return [...this.known.values()];
  }

  async inspect(name: string): Promise<BoxDetails> {
    const found = this.known.get(name);
    if (found !== undefined) return found;
    throw new BoxError({
      code: "BOX_NOT_FOUND",
      kind: "not-found",
      message: `no box ${name}`,
      hint: "box ls",
    });
  }

  async create(request: CreateRequest, context: WorkContext): Promise<void> {
    if (this.known.has(request.name)) {
      throw new BoxError({ code: "BOX_NAME_TAKEN", kind: "conflict", message: "taken" });
    }
    this.created.push(request);
    await this.#work(context);
    this.known.set(request.name, boxDetails(request.name, request.image));
  }

  async prepare(_name: string, _request: object, context: WorkContext): Promise<void> {
    await this.#work(context);
  }

  async remove(name: string): Promise<void> {
    await this.inspect(name);
    this.known.delete(name);
  }

  /** Every verb that was begun, with its body. */
  readonly called: (readonly [verb: string, name: string, request: object])[] = [];
  readonly snapshots: BoxSnapshot[] = [];
  readonly pruned: PruneRequest[] = [];

  readonly start: Verb = this.#verb("start");
  readonly stop: Verb = this.#verb("stop");
  readonly restart: Verb = this.#verb("restart");
  readonly clone: Verb = this.#verb("clone");
  readonly resize: Verb = this.#verb("resize");
  readonly export: Verb = this.#verb("export");
  readonly createSnapshot: Verb = this.#verb("createSnapshot");
  readonly restoreSnapshot: Verb = this.#verb("restoreSnapshot");

  async listSnapshots(name: string): Promise<readonly BoxSnapshot[]> {
    await this.inspect(name);
    return this.snapshots;
  }

  async removeSnapshot(name: string, snapshot: string): Promise<void> {
    await this.inspect(name);
    this.called.push(["removeSnapshot", name, { snapshot }]);
  }

  readonly storage: BoxService["storage"] = {
    usage: async () => emptyUsage,
    prune: async (request) => {
      this.pruned.push(request);
      return { dryRun: request.dryRun ?? false, removed: [], kept: [], freedBytes: 0 };
    },
  };

  #verb(verb: string): Verb {
    return async (name: string, request: object, context: WorkContext): Promise<void> => {
      this.called.push([verb, name, request]);
      await this.#work(context);
    };
  }

  async #work({ signal, onEvent }: WorkContext): Promise<void> {
    if (this.firstFailure !== undefined) throw this.firstFailure;
    onEvent(event("started", 1));
    onEvent(event("progress", 2));
    const aborted = Promise.withResolvers<never>();
    signal.addEventListener("abort", () => aborted.reject(signal.reason));
    await Promise.race([this.gate, aborted.promise]);
    onEvent(event("finished", 3));
  }
}

const nothing = {
  logicalBytes: 0,
  allocatedBytes: 0,
  sharedBytes: 0,
  uniqueBytes: 0,
  reclaimableBytes: 0,
};
const none = { ...nothing, items: [] };

/** A home without anything in it. */
export const emptyUsage: StorageUsage = {
  total: nothing,
  images: none,
  bases: none,
  boxes: { ...nothing, items: [{ ...nothing, name: "web", usedBy: [] }] },
  quarantine: none,
  temporary: none,
};

function event(type: string, sequence: number): ServiceEvent & { task: string } {
  return { type, sequence, task: "t" };
}

/** A box that has nothing but its name. */
export function boxDetails(name: string, reference = "oci:/x:y"): BoxDetails {
  return {
    id: "0".repeat(32),
    name,
    state: "created",
    image: { reference },
    guestRootfs: { type: "disk" },
    labels: {},
    autoRemove: false,
    run: { memoryMiB: 256, cpus: 1, restart: { type: "no" } },
    restarts: 0,
    stopRequested: false,
    createdAt: "2026-01-02T03:04:05.000Z",
    updatedAt: "2026-01-02T03:04:05.000Z",
    directory: `/home/boxes/${name}`,
    disks: {},
    operations: [],
    history: [],
  };
}
