import { pause, systemClock } from "@box/pipeline";
import { RuntimeError } from "../errors.ts";
import type { BoxEvent } from "../events.ts";
import { findOperation, listEvents, listOperations } from "../state/operations-table.ts";
import type { StateStore } from "../state/state-store.ts";
import type { OperationSummary } from "./operation.ts";

/** Options of {@link Operations.follow}. */
export interface FollowOptions {
  /** Only events with a greater sequence number; all of them unless given. */
  readonly after?: number;
  /** Stops following. */
  readonly signal?: AbortSignal;
  /** How often the state is asked about an operation of another process; 200 ms unless given. */
  readonly pollMs?: number;
}

const defaultLimit = 100;
const defaultPollMs = 200;

/** The operations of a home, of this and of other processes. */
export class Operations {
  readonly #state: StateStore;
  readonly #waiting = new Set<() => void>();

  constructor(state: StateStore) {
    this.#state = state;
  }

  /** The newest operations, newest first. */
  async list(options: { readonly limit?: number } = {}): Promise<readonly OperationSummary[]> {
    this.#state.settle();
    return listOperations(this.#state.database, { limit: options.limit ?? defaultLimit });
  }

  /** @throws RuntimeError `OPERATION_NOT_FOUND`. */
  async get(id: string): Promise<OperationSummary> {
    this.#state.settle();
    const operation = findOperation(this.#state.database, id);
    if (operation !== undefined) return operation;
    throw new RuntimeError({
      code: "OPERATION_NOT_FOUND",
      message: `there is no operation ${JSON.stringify(id.slice(0, 100))}`,
      details: { operation: id.slice(0, 100) },
    });
  }

  /** The events of an operation so far with a greater sequence number than `after`, in order and without gaps. */
  async events(
    id: string,
    options: { readonly after?: number } = {},
  ): Promise<readonly BoxEvent[]> {
    return this.#eventsAfter(id, options.after ?? 0);
  }

  /**
   * The events of an operation, those so far and those to come, until it has ended. None is lost or told twice.
   *
   * @throws RuntimeError `OPERATION_NOT_FOUND`.
   */
  async *follow(id: string, options: FollowOptions = {}): AsyncGenerator<BoxEvent, void> {
    let after = options.after ?? 0;
    for (;;) {
      options.signal?.throwIfAborted();
      // The state first: what is told between the two questions is found by the second.
      const { state } = await this.get(id);
      for (const event of this.#eventsAfter(id, after)) {
        after = event.sequence;
        yield event;
      }
      if (state !== "running") return;
      await this.#wait(options.pollMs ?? defaultPollMs, options.signal);
    }
  }

  /** Wakes those who follow an operation. */
  notify(): void {
    for (const wake of [...this.#waiting]) wake();
  }

  #eventsAfter(id: string, after: number): readonly BoxEvent[] {
    const stored = listEvents(this.#state.database, id, after);
    const last = stored.at(-1)?.sequence ?? after;
    return [...stored, ...this.#state.pending(id).filter(({ sequence }) => sequence > last)];
  }

  async #wait(pollMs: number, signal: AbortSignal | undefined): Promise<void> {
    const after = (delayMs: number, wake: () => void) => {
      const cancel = systemClock.after(delayMs, wake);
      this.#waiting.add(wake);
      return () => {
        this.#waiting.delete(wake);
        cancel();
      };
    };
    await pause({ after }, pollMs, signal);
  }
}
