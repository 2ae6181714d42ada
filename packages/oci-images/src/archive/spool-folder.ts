import { randomUUID } from "node:crypto";
import { mkdir, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import {
  acquireLock,
  acquireLockIfFree,
  ensureDirectory,
  errnoOf,
  type Lock,
  toIoError,
} from "@box/io/node";

const prefix = "import-";

/** A folder for what is unpacked for a while. */
export interface SpoolFolder extends AsyncDisposable {
  /** Where it is. */
  readonly path: string;
}

/**
 * Makes a folder that goes when it is disposed of. A lock beside it tells others whether its process lives.
 *
 * @param parent - Made when it is not there.
 */
export async function createSpoolFolder(parent: string): Promise<SpoolFolder> {
  await ensureDirectory(parent);
  const path = join(parent, `${prefix}${randomUUID()}`);
  const lock = await acquireLock(`${path}.lock`, { command: "unpack an archive", timeoutMs: 0 });
  try {
    await mkdir(path, { mode: 0o700 });
  } catch (error) {
    await end(path, lock);
    throw toIoError(error, { action: "cannot make", path });
  }
  return { path, [Symbol.asyncDispose]: () => end(path, lock) };
}

/**
 * Removes the folders of processes that are gone.
 *
 * @returns The bytes of their files.
 */
export async function removeDeadSpools(parent: string, dryRun = false): Promise<number> {
  let bytes = 0;
  for (const name of await readdirIfThere(parent)) {
    if (!name.startsWith(prefix) || name.includes(".")) continue;
    const path = join(parent, name);
    const lock = await acquireLockIfFree(`${path}.lock`);
    if (lock === undefined) continue;
    bytes += await sizeOf(path);
    await (dryRun ? lock.release() : end(path, lock));
  }
  return bytes;
}

async function sizeOf(path: string): Promise<number> {
  let bytes = 0;
  for (const name of await readdirIfThere(path)) bytes += (await stat(join(path, name))).size;
  return bytes;
}

async function readdirIfThere(path: string): Promise<readonly string[]> {
  try {
    return await readdir(path);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return [];
    throw toIoError(error, { action: "cannot list", path });
  }
}

async function end(path: string, lock: Lock): Promise<void> {
  await rm(path, { recursive: true, force: true });
  await lock.release();
  await rm(`${path}.lock`, { force: true });
}
