import type { Clock } from "@box/pipeline";
import type { BoxEvent } from "../events.ts";
import { type HomeLayout, stateLockPath } from "../home/layout.ts";
import { StateDatabase, type TransactionOptions } from "./database.ts";
import { refuseLostState } from "./lost-state.ts";
import { insertEvents } from "./operations-table.ts";

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
  #pending: BoxEvent[] = [];
  #stopTimer: (() => void) | undefined;

  private constructor(database: StateDatabase, clock: Clock) {
    this.database = database;
    this.#clock = clock;
  }

  /** Opens the state of a home. @throws RuntimeError `STATE_*`. */
  static async open(home: HomeLayout, clock: Clock, signal?: AbortSignal): Promise<StateStore> {
    await refuseLostState(home);
    const lock = stateLockPath(home);
    return new StateStore(await StateDatabase.open(home.state, lock, signal), clock);
  }

  /** Runs `work` as one transaction, with the events that wait. */
  transaction<Result>(
    work: (database: StateDatabase) => Result,
    options: TransactionOptions = {},
  ): Result {
    const batch = this.#pending;
    this.#pending = [];
    try {
      return this.database.transaction(() => {
        insertEvents(this.database, batch);
        return work(this.database);
      }, options);
    } catch (error) {
      this.#pending = [...batch, ...this.#pending];
      throw error;
    }
  }

  /** Takes an event to be stored. */
  add(event: BoxEvent): void {
    this.#pending.push(event);
    this.#stopTimer ??= this.#clock.after(flushAfterMs, () => {
      this.#stopTimer = undefined;
      this.#tryFlush();
    });
  }

  /** Events of an operation that wait to be stored. */
  pending(operation: string): readonly BoxEvent[] {
    return this.#pending.filter((event) => event.operation === operation);
  }

  /** Gives up the events of an operation whose end could not be stored either. */
  drop(operation: string): void {
    this.#pending = this.#pending.filter((event) => event.operation !== operation);
  }

  [Symbol.dispose](): void {
    this.#stopTimer?.();
    this.#tryFlush();
    this.database[Symbol.dispose]();
  }

  #tryFlush(): void {
    if (this.#pending.length === 0) return;
    try {
      // Events count from the commit that ends their operation: nothing waits until they are on stable storage.
      this.transaction(() => {}, { sync: false });
    } catch {
      // They wait for the end of their operation, which tells the failure.
    }
  }
}
