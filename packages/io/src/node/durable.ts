import { constants } from "node:fs";
import { dirname, resolve } from "node:path";
import type { OpenFile } from "../random-access.ts";
import { withDirectTransfers } from "./direct-transfers.ts";
import type { FileSystem, FileSystemHandle } from "./file-system.ts";
import { errnoOf, toIoError } from "./io-error.ts";
import { nodeFileSystem } from "./node-file-system.ts";
import { fileOn } from "./open-file.ts";
import { temporaryPathFor } from "./temporary.ts";

/** Options of the durable operations. */
export interface DurableOptions {
  /** The file system calls; the host's unless given. */
  readonly fs?: FileSystem;
}

/** Options of {@link createFileDurably}. */
export interface CreateFileDurablyOptions extends DurableOptions {
  /** Permission bits of the finished file, whatever the umask; 0600 unless given. */
  readonly mode?: number;
  /** Refuse (as `IO_EXISTS`) when the final name exists, instead of replacing it. */
  readonly exclusive?: boolean;
  /** As for `openFile`: whether small writes block the thread. For files of a few, and where nothing else goes on. */
  readonly blocking?: boolean;
  /**
   * Whether large writes of page-aligned memory go past the page cache where the file system can; false unless said
   * otherwise. For large files that are not read right afterwards.
   */
  readonly direct?: boolean;
  /** Stops before the file gets its name; the temporary file is removed. */
  readonly signal?: AbortSignal;
}

/**
 * Makes a file that is either whole under its final name or not there at all, whenever the process or the machine dies.
 *
 * The one sequence for every durable file: a temporary name in the same folder (O_EXCL, O_NOFOLLOW), write, fsync,
 * close, rename (link when exclusive), fsync of the folder. Success is told only after the last sync. On any failure
 * the temporary file is removed and the final name is as it was. A failed fsync is final: it is never tried again.
 *
 * @param fill - Writes the content; it may read back what it wrote. It does not close the file.
 * @throws IoError, or what `fill` threw.
 */
export async function createFileDurably<T>(
  path: string,
  fill: (file: OpenFile) => Promise<T>,
  options: CreateFileDurablyOptions = {},
): Promise<T> {
  const { fs = nodeFileSystem, signal } = options;
  const temporary = temporaryPathFor(path);
  const handle = await openTemporary(fs, temporary, path, options.direct === true);
  let named = false;
  try {
    const result = await fillAndSync(handle, temporary, fill, options);
    signal?.throwIfAborted();
    if (options.exclusive) {
      await attempt("cannot create", path, () => fs.link(temporary, path));
      await attempt("cannot remove", temporary, () => fs.unlink(temporary));
    } else {
      await attempt("cannot create", path, () => fs.rename(temporary, path));
    }
    named = true;
    await syncDirectory(dirname(path), { fs });
    return result;
  } finally {
    if (!named) await fs.unlink(temporary).catch(() => {});
  }
}

/** Writes a small file by {@link createFileDurably}. */
export async function writeFileDurably(
  path: string,
  content: Uint8Array | string,
  options: CreateFileDurablyOptions = {},
): Promise<void> {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  const blocking = true;
  await createFileDurably(path, async (file) => file.write?.(0, bytes), { blocking, ...options });
}

/** Renames, over an existing file, and brings both folders to stable storage. */
export async function renameDurably(
  from: string,
  to: string,
  options: DurableOptions = {},
): Promise<void> {
  const { fs = nodeFileSystem } = options;
  await attempt("cannot rename", from, () => fs.rename(from, to));
  await syncDirectory(dirname(to), { fs });
  if (dirname(from) !== dirname(to)) await syncDirectory(dirname(from), { fs });
}

/** Removes a file and brings its folder to stable storage. @returns false when there was none. */
export async function removeFileDurably(
  path: string,
  options: DurableOptions = {},
): Promise<boolean> {
  const { fs = nodeFileSystem } = options;
  try {
    await fs.unlink(path);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return false;
    throw toIoError(error, { action: "cannot remove", path });
  }
  await syncDirectory(dirname(path), { fs });
  return true;
}

/**
 * Makes a folder and its missing parents, each brought to stable storage in the folder that holds it.
 *
 * @returns The folders made, outermost first.
 */
export async function ensureDirectory(
  path: string,
  options: DurableOptions & { readonly mode?: number } = {},
): Promise<string[]> {
  const { fs = nodeFileSystem, mode = 0o700 } = options;
  const missing: string[] = [];
  let parent = resolve(path);
  while (!(await isDirectory(fs, parent))) {
    missing.unshift(parent);
    parent = dirname(parent);
  }
  const made: string[] = [];
  for (const folder of missing) {
    if (await makeDirectory(fs, folder, mode)) made.push(folder);
  }
  // Also where another process made it: its own sync may be yet to come.
  await Promise.all(missing.map((folder) => syncDirectory(dirname(folder), { fs })));
  return made;
}

async function openTemporary(
  fs: FileSystem,
  temporary: string,
  path: string,
  isDirect: boolean,
): Promise<FileSystemHandle> {
  const { O_RDWR, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
  const handle = await attempt("cannot create", path, () =>
    fs.open(temporary, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600),
  );
  return isDirect ? withDirectTransfers(fs, handle, temporary, O_RDWR | O_NOFOLLOW, true) : handle;
}

async function fillAndSync<T>(
  handle: FileSystemHandle,
  temporary: string,
  fill: (file: OpenFile) => Promise<T>,
  options: CreateFileDurablyOptions,
): Promise<T> {
  const file = fileOn(handle, temporary, temporary, true, options.blocking);
  try {
    const result = await fill(file);
    options.signal?.throwIfAborted();
    await attempt("cannot set the mode of", temporary, () => handle.chmod(options.mode ?? 0o600));
    await file.flush?.();
    await file.close();
    return result;
  } catch (error) {
    await file.close().catch(() => {});
    throw error;
  }
}

async function isDirectory(fs: FileSystem, path: string): Promise<boolean> {
  try {
    if ((await fs.stat(path)).isDirectory()) return true;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return false;
    throw toIoError(error, { action: "cannot make the folder", path });
  }
  const notFolder = Object.assign(new Error("ENOTDIR: it is not a folder"), { code: "ENOTDIR" });
  throw toIoError(notFolder, { action: "cannot make the folder", path });
}

async function makeDirectory(fs: FileSystem, path: string, mode: number): Promise<boolean> {
  try {
    await fs.mkdir(path, mode);
    return true;
  } catch (error) {
    // Another process may have made it since.
    if (errnoOf(error) === "EEXIST" && (await isDirectory(fs, path))) return false;
    throw toIoError(error, { action: "cannot make the folder", path });
  }
}

/**
 * Makes the names in a folder safe, those that came and those that went.
 *
 * @throws IoError `IO_SYNC_FAILED`.
 */
export async function syncDirectory(
  path: string,
  { fs = nodeFileSystem }: { readonly fs?: FileSystem } = {},
): Promise<void> {
  try {
    await fs.syncDirectory(path);
  } catch (error) {
    throw toIoError(error, { action: "cannot sync the folder", path }, "IO_SYNC_FAILED");
  }
}

async function attempt<T>(action: string, path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw toIoError(error, { action, path });
  }
}
