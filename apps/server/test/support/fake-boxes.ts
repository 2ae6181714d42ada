import { BoxError } from "@box/errors";
import type { BoxDetails } from "@box/runtime";
import type {
  BoxService,
  CreateRequest,
  OperationRecord,
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
