import { kindOf, toErrorReport } from "@box/errors";
import type { OperationRecord, ServiceEvent, WorkContext } from "../box-service.ts";

/** What {@link LiveOperations} is made from. */
export interface LiveOperationsOptions {
  /** The clock, in milliseconds since 1970. */
  readonly now: () => number;
  /** Told of failures inside box, whose reason callers do not see. */
  readonly onInternalError: (error: unknown, operation: OperationRecord) => void;
  /** Finished operations that are kept in memory; the oldest are forgotten first, the state has them. */
  readonly maxFinished?: number;
}

/** What is started. */
export interface StartOptions {
  /** 32 hex digits. */
  readonly id: string;
  /** Such as `create`. */
  readonly kind: string;
  /** The name of the box. */
  readonly boxName: string;
  /** The work itself. */
  readonly work: (context: WorkContext) => Promise<unknown>;
}

interface Entry {
  record: OperationRecord;
  readonly events: ServiceEvent[];
  readonly listeners: Set<() => void>;
  readonly controller: AbortController;
  readonly done: Promise<void>;
  begun: Promise<OperationRecord>;
  failure: { readonly error: unknown } | undefined;
}

const maxFirstWaitMs = 250;

/** The operations that this process carries out, with their events as they come. */
export class LiveOperations {
  readonly #entries = new Map<string, Entry>();
  readonly #options: Required<LiveOperationsOptions>;

  constructor(options: LiveOperationsOptions) {
    this.#options = { maxFinished: 100, ...options };
  }

  /**
   * Starts work. Work that fails before it tells its first event has not begun: its error is thrown here, so that a
   * request gets it as its answer, and the operation is forgotten.
   */
  start({ id, kind, boxName, work }: StartOptions): Promise<OperationRecord> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const entry: Entry = {
      record: { id, kind, box: { name: boxName }, state: "running", startedAt: this.#time() },
      events: [],
      listeners: new Set(),
      controller: new AbortController(),
      done: promise,
      begun: Promise.reject(new Error("not started")),
      failure: undefined,
    };
    entry.begun.catch(() => {});
    this.#entries.set(id, entry);
    void this.#run(entry, work).then(resolve);
    entry.begun = this.#begin(entry);
    return entry.begun;
  }

  /** What {@link LiveOperations.start} gave or threw for an operation; `undefined` for one of another process. */
  join(id: string): Promise<OperationRecord> | undefined {
    return this.#entries.get(id)?.begun;
  }

  async #begin(entry: Entry): Promise<OperationRecord> {
    const signal = AbortSignal.timeout(maxFirstWaitMs);
    await Promise.race([changeOf(entry, signal), entry.done]);
    if (entry.failure === undefined || entry.events.length > 0) return entry.record;
    this.#entries.delete(entry.record.id);
    throw entry.failure.error;
  }

  /** The operation, when this process carries it out or has lately. */
  find(id: string): OperationRecord | undefined {
    return this.#entries.get(id)?.record;
  }

  /** Every operation of this process that is remembered. */
  list(): readonly OperationRecord[] {
    return [...this.#entries.values()].map(({ record }) => record);
  }

  /** Asks running work to stop; it ends as `cancelled` once it has. Tells whether this process runs it. */
  cancel(id: string): boolean {
    const entry = this.#entries.get(id);
    if (entry?.record.state !== "running") return false;
    entry.controller.abort(new DOMException("the operation was cancelled", "AbortError"));
    return true;
  }

  /** Told events with a greater sequence number; `undefined` for an operation of another process. */
  events(id: string, afterSequence: number): readonly ServiceEvent[] | undefined {
    return this.#entries.get(id)?.events.filter(({ sequence }) => sequence > afterSequence);
  }

  /** Resolves at the operation's next event or end, or when the signal aborts. */
  async change(id: string, signal: AbortSignal): Promise<void> {
    const entry = this.#entries.get(id);
    if (entry?.record.state === "running") await changeOf(entry, signal);
  }

  /** Resolves when every operation has ended; those still running after `graceMs` are cancelled. */
  async settle(graceMs: number): Promise<void> {
    const running = [...this.#entries.values()].filter(({ record }) => record.state === "running");
    const all = Promise.all(running.map(({ done }) => done));
    const grace = Promise.withResolvers<void>();
    const timer = setTimeout(grace.resolve, graceMs);
    await Promise.race([all, grace.promise]);
    clearTimeout(timer);
    for (const { record } of running) this.cancel(record.id);
    await all;
  }

  async #run(entry: Entry, work: StartOptions["work"]): Promise<void> {
    const { signal } = entry.controller;
    const onEvent = (event: ServiceEvent) => {
      entry.events.push(event);
      tell(entry);
    };
    try {
      await work({ operationId: entry.record.id, signal, onEvent });
      this.#finish(entry, { state: "succeeded" });
    } catch (error) {
      entry.failure = { error };
      const wasCancelled = signal.aborted && kindOf(error) === "aborted";
      if (kindOf(error) === "internal") this.#options.onInternalError(error, entry.record);
      const state = wasCancelled ? "cancelled" : "failed";
      this.#finish(entry, { state, error: toErrorReport(error) });
    }
  }

  #finish(entry: Entry, end: Pick<OperationRecord, "state" | "error">): void {
    entry.record = { ...entry.record, ...end, finishedAt: this.#time() };
    tell(entry);
    const finished = this.list().filter(({ state }) => state !== "running");
    for (const { id } of finished.slice(0, -this.#options.maxFinished)) this.#entries.delete(id);
  }

  #time(): string {
    return new Date(this.#options.now()).toISOString();
  }
}

function tell(entry: Entry): void {
  for (const listener of [...entry.listeners]) listener();
}

function changeOf(entry: Entry, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const end = () => {
    entry.listeners.delete(end);
    signal.removeEventListener("abort", end);
    resolve();
  };
  entry.listeners.add(end);
  signal.addEventListener("abort", end);
  return promise;
}
