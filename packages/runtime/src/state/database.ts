import { chmodSync } from "node:fs";
import {
  DatabaseSync,
  type SQLInputValue,
  type SQLOutputValue,
  type StatementSync,
} from "node:sqlite";
import { pathToFileURL } from "node:url";
import { isBoxError } from "@box/errors";
import { acquireLock } from "@box/io/node";
import { RuntimeError } from "../errors.ts";
import { migrations } from "./migrations.ts";
import { toStateError } from "./state-error.ts";

/** A row as SQLite gives it. */
export type Row = Readonly<Record<string, SQLOutputValue>>;

/** Values by the names of a statement's parameters. */
export type Parameters = Readonly<Record<string, SQLInputValue>>;

/** How long another process may take to make the state or to bring it up to date, in milliseconds. */
const startTimeoutMs = 30_000;

/** Options of {@link StateDatabase.transaction}. */
export interface TransactionOptions {
  /**
   * Whether the commit waits until it is on stable storage; true unless given. Other processes see it either way. After
   * a loss of power it may be gone, but never while a later commit is there.
   */
  readonly sync?: boolean;
}

const busyTimeoutMs = 5000;

/**
 * The state database: WAL, commits synced unless asked otherwise, and every write in a transaction that begins with the
 * write lock.
 *
 * Calls are synchronous, so keep them short.
 */
export class StateDatabase implements Disposable {
  /** Whether it is on a file system that cannot be written to: it is read, and every transaction fails. */
  readonly isReadOnly: boolean;
  readonly #path: string;
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  private constructor(path: string, database: DatabaseSync, isReadOnly = false) {
    this.#path = path;
    this.#database = database;
    this.isReadOnly = isReadOnly;
  }

  /**
   * Opens the database, and brings it to the newest version under a lock when that is needed. One that cannot be written to is
   * opened for reading.
   *
   * @throws RuntimeError `STATE_*`; IoError when the lock cannot be taken.
   */
  static async open(path: string, lockPath: string, signal?: AbortSignal): Promise<StateDatabase> {
    const state = StateDatabase.#connectAnyhow(path);
    if (state.isReadOnly || state.#isCurrent()) return state;
    state[Symbol.dispose]();
    await using _lock = await acquireLock(lockPath, {
      command: "starting the state",
      timeoutMs: startTimeoutMs,
      ...(signal === undefined ? {} : { signal }),
    });
    const alone = StateDatabase.#connect(path);
    alone.#bringUp();
    return alone;
  }

  static #connectAnyhow(path: string): StateDatabase {
    try {
      return StateDatabase.#connect(path);
    } catch (error) {
      const isReadOnly = isBoxError(error) && error.code === "STATE_READ_ONLY";
      const state = isReadOnly ? StateDatabase.#connectForReading(path) : undefined;
      if (state === undefined) throw error;
      return state;
    }
  }

  /**
   * Where nothing can be written there is no room for the index of the log, and SQLite opens a database that has one only when it
   * is told that nobody changes it. It still refuses one with something in its log. Nothing for one of another version.
   */
  static #connectForReading(path: string): StateDatabase | undefined {
    const location = pathToFileURL(path);
    location.search = "immutable=1";
    try {
      const database = new DatabaseSync(location, { readOnly: true });
      const state = new StateDatabase(path, database, true);
      if (state.#version() === migrations.length) return state;
      database.close();
      return undefined;
    } catch (error) {
      throw toStateError(error, path);
    }
  }

  static #connect(path: string): StateDatabase {
    let database: DatabaseSync | undefined;
    try {
      database = new DatabaseSync(path, { timeout: busyTimeoutMs });
      database.exec("PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON");
      const state = new StateDatabase(path, database);
      state.#refuseNewer();
      return state;
    } catch (error) {
      database?.close();
      throw toStateError(error, path);
    }
  }

  /** Runs `work` as one transaction: all of it is stored, and synced unless asked otherwise, or nothing. */
  transaction<Result>(work: () => Result, { sync = true }: TransactionOptions = {}): Result {
    try {
      // With NORMAL the log is not synced at a commit. The level is set each time, so that no failure leaves it low.
      this.#database.exec(`PRAGMA synchronous = ${sync ? "FULL" : "NORMAL"}; BEGIN IMMEDIATE`);
      try {
        const result = work();
        this.#database.exec("COMMIT");
        return result;
      } catch (error) {
        // SQLite may have rolled back by itself, after a full disk for one.
        if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
        throw error;
      }
    } catch (error) {
      throw toStateError(error, this.#path);
    }
  }

  /** Runs a statement that gives no rows; tells how many it changed. */
  run(sql: string, parameters: Parameters = {}): number {
    return Number(this.#with(sql, (statement) => statement.run(parameters)).changes);
  }

  /** The first row of a query. */
  get(sql: string, parameters: Parameters = {}): Row | undefined {
    return this.#with(sql, (statement) => statement.get(parameters));
  }

  /** All rows of a query. */
  all(sql: string, parameters: Parameters = {}): readonly Row[] {
    return this.#with(sql, (statement) => statement.all(parameters));
  }

  /** Closes it; the write-ahead log goes into the database when nobody else has it open. */
  [Symbol.dispose](): void {
    if (this.#database.isOpen) this.#database.close();
  }

  #with<Result>(sql: string, use: (statement: StatementSync) => Result): Result {
    try {
      let statement = this.#statements.get(sql);
      if (statement === undefined) {
        statement = this.#database.prepare(sql);
        this.#statements.set(sql, statement);
      }
      return use(statement);
    } catch (error) {
      throw toStateError(error, this.#path);
    }
  }

  #isCurrent(): boolean {
    return this.#pragma("journal_mode") === "wal" && this.#version() === migrations.length;
  }

  #bringUp(): void {
    try {
      chmodSync(this.#path, 0o600);
      this.#database.exec("PRAGMA journal_mode = WAL");
      this.transaction(() => {
        for (const step of migrations.slice(this.#version())) this.#database.exec(step);
        this.#database.exec(`PRAGMA user_version = ${migrations.length}`);
      });
    } catch (error) {
      this[Symbol.dispose]();
      throw toStateError(error, this.#path);
    }
  }

  #refuseNewer(): void {
    const version = this.#version();
    if (version <= migrations.length) return;
    throw new RuntimeError({
      code: "STATE_TOO_NEW",
      message: `the state ${this.#path} has version ${version}, and this version of box knows versions up to ${migrations.length}`,
      details: { path: this.#path, found: version, supported: migrations.length },
      hint: "use the version of box that made it, or another home with --home",
    });
  }

  #version(): number {
    return Number(this.#pragma("user_version"));
  }

  #pragma(name: "journal_mode" | "user_version"): unknown {
    return this.get(`PRAGMA ${name}`)?.[name];
  }
}
