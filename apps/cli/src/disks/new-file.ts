import { lstat, realpath } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { type BoxError, isBoxError } from "@box/errors";
import { IoError, type OpenFile } from "@box/io";
import { createFileDurably, errnoOf, removeDeadTemporaries, toIoError } from "@box/io/node";
import type { CommandContext } from "../command/define-command.ts";
import { CliError } from "../errors.ts";
import { remade } from "./about-file.ts";
import { requireNotInUse } from "./in-use.ts";

/** Which file to make. */
export interface NewFileRequest {
  /** As the user wrote it. */
  readonly file: string;
  /** Whether an existing file is replaced; otherwise it is refused. */
  readonly force?: boolean | undefined;
  /** Identities of files that must not be replaced, such as the source's own chain. */
  readonly inputs?: readonly (string | undefined)[];
}

/**
 * Makes a disk file under a temporary name and gives it its own name when it is whole and on stable storage. A failure or
 * an abort removes it and leaves what had the name before. It gets the permissions of the file that it replaces, else those
 * that the umask leaves of rw-r--r--.
 *
 * @throws IoError `IO_EXISTS`, `IO_NOT_FOUND` (no such folder) and others; CliError `CLI_INVALID_ARGUMENT` when it is one
 * of the inputs, `CLI_FILE_IN_USE`; what `fill` throws.
 */
export async function createDiskFile<T>(
  request: NewFileRequest,
  { cwd, signal }: Pick<CommandContext, "cwd" | "signal">,
  fill: (target: OpenFile) => Promise<T>,
): Promise<T> {
  const { file, force = false } = request;
  const { path, mode } = await placeOf(resolve(cwd, file), request);
  // What a killed run has left in this folder; what cannot be removed is no reason to fail.
  await removeDeadTemporaries(dirname(path)).catch(() => {});
  try {
    return await createFileDurably(path, fill, { signal, mode, exclusive: !force });
  } catch (error) {
    throw isBoxError(error) ? withoutTemporary(error, path) : error;
  }
}

/**
 * Refuses a file that would be its own data file, under whatever names.
 *
 * @throws CliError `CLI_INVALID_ARGUMENT`; IoError.
 */
export async function requireOtherFile(
  file: string,
  dataFile: string,
  { cwd }: Pick<CommandContext, "cwd">,
): Promise<void> {
  const [place, other] = await Promise.all([file, dataFile].map((name) => whereIs(cwd, name)));
  if (place !== other) return;
  throw new CliError({
    code: "CLI_INVALID_ARGUMENT",
    message: `${file} cannot be its own data file`,
    details: { file },
    hint: "choose another name for the data file",
  });
}

/**
 * Where a file goes that is replaced without being asked, through a link to what it stands for, and the permissions that it
 * gets: those of the file of before, else those that the umask leaves of rw-r--r--. Looked at before the work that makes its
 * content.
 *
 * @throws IoError when it stands for anything but a regular file, such as `/dev/null`, and when its folder is not there.
 */
export async function replaceablePlace(path: string): Promise<Place> {
  const found = await statusOf(path);
  if (found !== undefined && !found.isFile()) throw notReplaceable(path, found.isDirectory());
  if (found !== undefined) return { path: await realpath(path), mode: Number(found.mode & 0o777n) };
  try {
    await lstat(dirname(path));
  } catch (error) {
    throw toIoError(error, { action: "cannot create", path });
  }
  return { path, mode: newMode() };
}

/** The same for all names of a file, whether it exists or not. */
async function whereIs(cwd: string, file: string): Promise<string> {
  const path = resolve(cwd, file);
  const found = await statusOf(path);
  if (found !== undefined) return `${found.dev}:${found.ino}`;
  const folder = await realpath(dirname(path)).catch(() => dirname(path));
  return join(folder, basename(path));
}

function newMode(): number {
  return 0o644 & ~process.umask();
}

/** A file before it is made. */
export interface Place {
  /** Where it goes: through a link to the file that it stands for. */
  readonly path: string;
  /** Permission bits: those of the file that is replaced. */
  readonly mode: number;
}

async function placeOf(path: string, request: NewFileRequest): Promise<Place> {
  const { file, force, inputs = [] } = request;
  const found = await statusOf(path);
  if (found === undefined) return { path, mode: newMode() };
  const identity = `${found.dev}:${found.ino}`;
  if (inputs.includes(identity)) throw sameFile(file);
  if (!force) throw exists(path);
  if (!found.isFile()) throw notReplaceable(path, found.isDirectory());
  await requireNotInUse(file, { identity: () => identity });
  return { path: await realpath(path), mode: Number(found.mode & 0o777n) };
}

async function statusOf(path: string) {
  try {
    const link = await lstat(path, { bigint: true });
    if (!link.isSymbolicLink()) return link;
    const target = await realpath(path).catch(() => path);
    return await lstat(target, { bigint: true });
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw toIoError(error, { action: "cannot look at", path });
  }
}

function sameFile(file: string): CliError {
  return new CliError({
    code: "CLI_INVALID_ARGUMENT",
    message: `${file} is read by this command, so it cannot be written by it`,
    details: { file },
    hint: "write to another file; replace the old one when you have looked at the new one",
  });
}

function exists(path: string): IoError {
  return new IoError({
    code: "IO_EXISTS",
    message: `${path} exists already`,
    details: { path },
    hint: "choose another name, or replace it with --force",
  });
}

function notReplaceable(path: string, isDirectory: boolean): IoError {
  return new IoError({
    code: "IO_FAILED",
    message: `cannot replace ${path}: it is ${isDirectory ? "a folder" : "not a regular file"}`,
    details: { path, errno: isDirectory ? "EISDIR" : "EINVAL" },
    hint: "choose the name of a file",
  });
}

/** The first cause: what the system said, which names no file. */
function rootOf(error: Error): unknown {
  let root: Error = error;
  while (root.cause instanceof Error) root = root.cause;
  return root;
}

/** The temporary name means nothing to anybody: errors speak of the file that was to be. */
function withoutTemporary(error: BoxError, path: string): BoxError {
  const { path: failed } = error.details;
  if (typeof failed !== "string" || !basename(failed).startsWith(".tmp-")) return error;
  return remade(error, {
    message: error.message.replaceAll(failed, path),
    details: { ...error.details, path },
    cause: rootOf(error),
  });
}
