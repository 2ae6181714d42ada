import { existsSync } from "node:fs";
import { IoError } from "@box/io";
import { acquireLock, type Lock, type LockHolder } from "@box/io/node";
import { RuntimeError } from "../errors.ts";
import { boxLockPath, type HomeLayout } from "../home/layout.ts";

/** Options of {@link lockBox}. */
export interface LockBoxOptions {
  /** What this process does, told to those who wait. */
  readonly command: string;
  /** How long to wait; 0 tries once. */
  readonly timeoutMs: number;
  /** Stops waiting. */
  readonly signal?: AbortSignal | undefined;
}

/** Whoever clears up holds a lock no longer than it takes to remove its file. */
const waitForCleanerMs = 10_000;

/**
 * Takes the lock of a box: one process at a time changes it.
 *
 * @throws RuntimeError `BOX_IN_USE` with the holder, or IoError.
 */
export async function lockBox(
  home: HomeLayout,
  box: { readonly id: string; readonly name: string },
  { command, timeoutMs, signal }: LockBoxOptions,
): Promise<Lock> {
  try {
    return await acquireLock(boxLockPath(home, box.id), {
      command,
      timeoutMs,
      ...(signal === undefined ? {} : { signal }),
    });
  } catch (error) {
    if (error instanceof IoError && error.code === "IO_LOCK_HELD") throw inUse(box.name, error);
    throw error;
  }
}

/**
 * Takes the lock of a box that nobody else knows of yet.
 *
 * Whoever clears up may have taken the file for one that a dead process left, after it was made here and before it was
 * locked. The lock of a file without a name protects nothing: then it is taken once more.
 *
 * @throws RuntimeError `BOX_IN_USE`, or IoError.
 */
export async function lockNewBox(
  home: HomeLayout,
  box: { readonly id: string; readonly name: string },
  command: string,
): Promise<Lock> {
  for (;;) {
    const lock = await lockBox(home, box, { command, timeoutMs: waitForCleanerMs });
    if (existsSync(boxLockPath(home, box.id))) return lock;
    await lock.release();
  }
}

function inUse(name: string, cause: IoError): RuntimeError {
  const { holder } = cause.details as { readonly holder?: LockHolder };
  const who =
    holder === undefined ? "another process" : `process ${holder.pid} (${holder.command})`;
  return new RuntimeError({
    code: "BOX_IN_USE",
    message: `box ${name} is in use by ${who}`,
    details: { name, ...(holder === undefined ? {} : { holder }) },
    hint: "wait for that process to end, or stop it, and try again",
    retryable: true,
    cause,
  });
}
