import { accessSync, constants, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { IoError, type IoErrorCode } from "../errors.ts";
import { errnoOf, toIoError } from "./io-error.ts";
import { isProcessStopped, type ProcessIdentity, processIdentity } from "./process-identity.ts";

/** Who holds a lock, as far as its side file tells. */
export interface LockHolder extends ProcessIdentity {
  /** What the holder does, in its own words. */
  readonly command: string;
}

/** A lock that is held until it is released or its process dies. */
export interface Lock extends AsyncDisposable {
  /** Gives the lock back. Releasing twice does nothing. */
  release(): Promise<void>;
}

/** Options of {@link acquireLock}. */
export interface AcquireLockOptions {
  /** What this process does, told to those who wait. */
  readonly command?: string;
  /** How long to wait in milliseconds; for as long as its holder works unless given, 0 tries once. */
  readonly timeoutMs?: number;
  /** How long to wait, in milliseconds, for a holder that was stopped by a signal and can be seen to be; a minute unless given. */
  readonly stoppedTimeoutMs?: number;
  /** Stops waiting. */
  readonly signal?: AbortSignal;
  /** Told once when waiting begins and again when the holder changes. */
  readonly onWait?: (holder: LockHolder | undefined) => void;
}

const pollMs = 40;
const defaultStoppedTimeoutMs = 60_000;
const sqliteBusy = 5;
const sqliteCannotOpen = 14;

/** SQLite's primary result codes for what has a code of its own. */
const sqliteCodes: Readonly<Record<number, IoErrorCode>> = {
  8: "IO_READ_ONLY", // SQLITE_READONLY
  13: "IO_NO_SPACE", // SQLITE_FULL
};

/**
 * Takes an exclusive lock among processes, freed by the kernel when its process dies.
 *
 * `BEGIN EXCLUSIVE` on a SQLite file of its own; the file stays. Waiting polls asynchronously and never blocks the
 * event loop. Never open the lock file by other means in the same process: closing it would drop the lock.
 *
 * @param path - The lock file, in an existing folder. `PATH.holder` beside it names the holder to those who wait.
 * @throws IoError `IO_LOCK_HELD` on time-out with the holder in `details.holder`; `IO_FAILED` and its like otherwise.
 */
export async function acquireLock(path: string, options: AcquireLockOptions = {}): Promise<Lock> {
  const { signal, timeoutMs = Number.POSITIVE_INFINITY, onWait } = options;
  const { stoppedTimeoutMs = defaultStoppedTimeoutMs } = options;
  let waitedMs = 0;
  let stoppedMs = 0;
  let told: string | undefined;
  for (;;) {
    signal?.throwIfAborted();
    const database = tryLock(path);
    if (database !== undefined) return held(path, database, options.command ?? "");
    const holder = readHolder(path);
    const name = JSON.stringify(holder ?? null);
    if (name !== told) onWait?.(holder);
    told = name;
    stoppedMs = holder !== undefined && isProcessStopped(holder) ? stoppedMs + pollMs : 0;
    if (waitedMs >= timeoutMs || stoppedMs > stoppedTimeoutMs) {
      throw lockHeld(path, holder, { waitedMs, isStopped: stoppedMs > 0 });
    }
    await sleep(pollMs, undefined, signal === undefined ? {} : { signal });
    waitedMs += pollMs;
  }
}

/** {@link acquireLock} at once; nothing while somebody holds it. */
export async function acquireLockIfFree(
  path: string,
  options: Pick<AcquireLockOptions, "command"> = {},
): Promise<Lock | undefined> {
  try {
    return await acquireLock(path, { ...options, timeoutMs: 0 });
  } catch (error) {
    if (error instanceof IoError && error.code === "IO_LOCK_HELD") return undefined;
    throw error;
  }
}

function tryLock(path: string): DatabaseSync | undefined {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(path, { timeout: 0 });
    database.exec("BEGIN EXCLUSIVE");
    return database;
  } catch (error) {
    database?.close();
    const { errcode = 0 } = error as { errcode?: number };
    if (errcode === sqliteBusy) return undefined;
    throw toIoError(error, { action: "cannot lock", path }, codeOf(errcode & 0xff, path));
  }
}

function codeOf(sqliteCode: number, path: string): IoErrorCode | undefined {
  const isReadOnly = sqliteCode === sqliteCannotOpen && isOnReadOnlyFileSystem(dirname(path));
  return isReadOnly ? "IO_READ_ONLY" : sqliteCodes[sqliteCode];
}

/** SQLite does not say why it could not open or make a file. */
function isOnReadOnlyFileSystem(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    return false;
  } catch (error) {
    return errnoOf(error) === "EROFS";
  }
}

function held(path: string, database: DatabaseSync, command: string): Lock {
  const holderPath = `${path}.holder`;
  const holder: LockHolder = { ...processIdentity(), command };
  // Only a help for people who wait: the lock holds without it.
  quietly(() => writeFileSync(holderPath, JSON.stringify(holder), { mode: 0o600 }));
  let released = false;
  const release = async (): Promise<void> => {
    if (released) return;
    released = true;
    quietly(() => rmSync(holderPath, { force: true }));
    database.close();
  };
  return { release, [Symbol.asyncDispose]: release };
}

function readHolder(path: string): LockHolder | undefined {
  try {
    const holder = JSON.parse(readFileSync(`${path}.holder`, "utf8")) as LockHolder | null;
    return holder ?? undefined;
  } catch {
    return undefined;
  }
}

function lockHeld(
  path: string,
  holder: LockHolder | undefined,
  { waitedMs, isStopped }: { readonly waitedMs: number; readonly isStopped: boolean },
): IoError {
  const who =
    holder === undefined
      ? "another process"
      : `process ${holder.pid}${holder.command === "" ? "" : ` (${holder.command})`}`;
  return new IoError({
    code: "IO_LOCK_HELD",
    message: `cannot lock ${path}: held by ${who}${isStopped ? ", which is stopped" : ""}, waited ${waitedMs} ms`,
    details: { path, ...(holder === undefined ? {} : { holder }) },
    hint: isStopped
      ? `let that process go on with "kill -CONT ${holder?.pid}", or end it, and try again`
      : "wait for that process to end, or stop it, and try again",
  });
}

function quietly(work: () => void): void {
  try {
    work();
  } catch {
    // The side file is a courtesy; failing to keep it changes nothing.
  }
}
