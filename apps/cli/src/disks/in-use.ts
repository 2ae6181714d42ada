import type { OpenFile, RandomAccess } from "@box/io";
import { isLocked, type Lock, openFile, readFileLocks } from "@box/io/node";
import { CliError } from "../errors.ts";
import { hasWriter, lockWriter } from "./writer-lock.ts";

/**
 * Whether another process uses a file: one that has locked it, such as QEMU, or another box that changes it. False where
 * the system does not say.
 */
export async function isInUse(source: Pick<RandomAccess, "identity">): Promise<boolean> {
  const identity = source.identity?.();
  if (identity === undefined) return false;
  return isLocked(await readFileLocks(), identity) || (await hasWriter(identity));
}

/**
 * Refuses to replace a file that another process uses.
 *
 * @throws CliError `CLI_FILE_IN_USE`.
 */
export async function requireNotInUse(
  file: string,
  source: Pick<RandomAccess, "identity">,
): Promise<void> {
  if (await isInUse(source)) throw inUse(file);
}

/** Which file is changed in place, and by what. */
export interface ChangeRequest {
  /** As the user wrote it. */
  readonly file: string;
  /** Its absolute path. */
  readonly path: string;
  /** What this command is called, for those who find the file locked. */
  readonly command: string;
}

/**
 * Opens a file that is changed in place and keeps other boxes from changing it until it is closed.
 *
 * @throws CliError `CLI_FILE_IN_USE`; IoError when it cannot be opened.
 */
export async function openToChange({ file, path, command }: ChangeRequest): Promise<OpenFile> {
  const source = await openFile(path, { mode: "rw", blocking: true });
  try {
    const lock = await claimFile(file, source, command);
    const close = closing(source, lock);
    return { ...source, close, [Symbol.asyncDispose]: close };
  } catch (error) {
    await source.close();
    throw error;
  }
}

/**
 * Keeps other boxes from changing a file until the lock is released, unless they or another program use it already.
 *
 * @throws CliError `CLI_FILE_IN_USE`.
 */
export async function claimFile(
  file: string,
  source: Pick<RandomAccess, "identity">,
  command: string,
): Promise<Lock> {
  const identity = source.identity?.() ?? "";
  const lock = await lockWriter({ file, identity }, { command });
  try {
    // Of programs that know nothing of box's own lock.
    if (isLocked(await readFileLocks(), identity)) throw inUse(file);
    return lock;
  } catch (error) {
    await lock.release();
    throw error;
  }
}

/** Closes a file and then gives its lock back. */
export function closing(source: { close?(): Promise<void> }, lock: Lock): () => Promise<void> {
  return async () => {
    try {
      await source.close?.();
    } finally {
      await lock.release();
    }
  };
}

function inUse(file: string): CliError {
  return new CliError({
    code: "CLI_FILE_IN_USE",
    message: `${file} is in use by another process, such as a running QEMU`,
    details: { file },
    hint: "stop the machine that uses it, then try again",
  });
}
