import type { Clock } from "@box/pipeline";
import type { BoxEvent } from "../events.ts";
import { type HomeLayout, stateLockPath } from "../home/layout.ts";
import { StateDatabase, type TransactionOptions } from "./database.ts";
import { refuseLostState } from "./lost-state.ts";
import { endOperation, insertEvents, type OperationEnd } from "./operations-table.ts";
import { owedEndsOf } from "./owed-ends.ts";

const flushAfterMs = 250;

/**
 * The state of a home, and the events that wait to be stored.
 *
 * Events go into the database in batches: with the next transaction, whatever it is about, and at the latest a
 * quarter of a second later. So a decision and the record of what it led to are stored together.
 */
export class StateStore implements Disposable {
  /** For reading. Write only in {@link StateStore.transaction}. */
  readonly database: StateDatabase;
  readonly #clock: Clock;
  readonly #owed: Map<string, OperationEnd>;
  #pending: BoxEvent[] = [];
  #stopTimer: (() => void) | undefined;

  private constructor(database: StateDatabase, path: string, clock: Clock) {
    this.database = database;
    this.#clock = clock;
    this.#owed = owedEndsOf(path);
  }

  /** Opens the state of a home. @throws RuntimeError `STATE_*`. */
  static async open(home: HomeLayout, clock: Clock, signal?: AbortSignal): Promise<StateStore> {
    await refuseLostState(home);
    const lock = stateLockPath(home);
    const database = await StateDatabase.open(home.state, lock, signal);
    const state = new StateStore(database, home.state, clock);
    state.settle();
    return state;
  }

  /** Runs `work` as one transaction, with the events that wait and the ends that are owed. */
  transaction<Result>(
    work: (database: StateDatabase) => Result,
    options: TransactionOptions = {},
  ): Result {
    const batch = this.#pending;
    const ends = [...this.#owed];
    this.#pending = [];
    try {
      const result = this.database.transaction(() => {
        insertEvents(this.database, batch);
        for (const [operation, end] of ends) endOperation(this.database, operation, end);
        return work(this.database);
      }, options);
      for (const [operation] of ends) this.#owed.delete(operation);
      return result;
    } catch (error) {
      this.#pending = [...batch, ...this.#pending];
      throw error;
    }
  }

  /** Takes an event to be stored. */
  add(event: BoxEvent): void {
    this.#pending.push(event);
    this.#flushLater();
  }

  /** Events of an operation that wait to be stored. */
  pending(operation: string): readonly BoxEvent[] {
    return this.#pending.filter((event) => event.operation === operation);
  }

  /**
   * Takes the end of an operation that could not be stored: it is stored as soon as that can be done, by this store or by
   * another that this process opens. Its events that wait are given up: they may be why.
   */
  owe(operation: string, end: OperationEnd): void {
    this.#pending = this.#pending.filter((event) => event.operation !== operation);
    this.#owed.set(operation, end);
    this.settle();
  }

  /** Stores the ends that are owed, when it can. */
  settle(): void {
    if (this.#owed.size === 0 || this.database.isReadOnly) return;
    this.#tryFlush();
    if (this.#owed.size > 0) this.#flushLater();
  }

  [Symbol.dispose](): void {
    this.#stopTimer?.();
    this.#tryFlush();
    this.database[Symbol.dispose]();
  }

  #flushLater(): void {
    this.#stopTimer ??= this.#clock.after(flushAfterMs, () => {
      this.#stopTimer = undefined;
      if (this.#owed.size > 0) this.settle();
      else this.#tryFlush();
    });
  }

  #tryFlush(): void {
    if (this.#pending.length + this.#owed.size === 0) return;
    try {
      // Events count from the commit that ends their operation: nothing waits until they are on stable storage.
      this.transaction(() => {}, { sync: false });
    } catch {
      // They wait for the end of their operation, which tells the failure.
    }
  }
}
