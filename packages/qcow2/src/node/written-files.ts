import { IoError, type IoErrorCode, type OpenFile } from "@box/io";
import {
  displayPath,
  type FilePath,
  type OpenFileOptions,
  openFile as openAny,
} from "@box/io/node";
import { Qcow2Error, type Qcow2ErrorCode } from "../errors.ts";
import { invalidArgument, requireOneOf } from "../require-arguments.ts";

/** The files that this process has open for writing, by device and inode: links to one file are one file. */
const written = new Set<string>();

/**
 * Opens a regular file at byte offsets: to read it, to read and write it (`rw`), or as a new one (`create`, which refuses
 * an existing file).
 *
 * A file that is open for writing is not opened for writing again before it is closed, for two writers of one image
 * destroy it. Nothing keeps other processes, or other threads of this one, from the file.
 *
 * @throws `Qcow2Error` `QCOW2_FILE_IN_USE` for a second writer; `QCOW2_FILE_NOT_FOUND`, `QCOW2_TARGET_NOT_EMPTY` (a new file
 * where there is one), `QCOW2_NO_SPACE`, `QCOW2_READ_ONLY` or `QCOW2_IO` when the file cannot be opened. What the open file
 * throws by itself is an `IoError`.
 */
export async function openFile(path: FilePath, options: OpenFileOptions = {}): Promise<OpenFile> {
  const { mode = "r" } = options;
  requirePath(path);
  requireOneOf("mode", mode, ["r", "rw", "create"]);
  try {
    return await onlyWriter(await openAny(path, options), path, mode);
  } catch (error) {
    throw toOpenError(error);
  }
}

/** Notes an open file as written until it is closed; one that is written already is closed and refused. */
export async function onlyWriter(
  file: OpenFile,
  path: FilePath,
  mode: "r" | "rw" | "create",
): Promise<OpenFile> {
  const identity = file.identity?.();
  if (mode === "r" || identity === undefined) return file;
  if (written.has(identity)) {
    await file.close();
    const name = displayPath(path);
    throw new Qcow2Error({
      code: "QCOW2_FILE_IN_USE",
      message: `cannot open ${name} for writing: this process has it open for writing already`,
      structure: "file",
      details: { path: name },
    });
  }
  written.add(identity);
  let closed: Promise<void> | undefined;
  const close = (): Promise<void> => {
    closed ??= file.close().finally(() => written.delete(identity));
    return closed;
  };
  return { ...file, close, [Symbol.asyncDispose]: close };
}

function requirePath(path: unknown): void {
  if (typeof path !== "string" && !(path instanceof Uint8Array)) {
    throw invalidArgument("a file is opened by its path", "give what is no path to openImage");
  }
  if (typeof path === "string" ? path.includes("\0") : path.includes(0)) {
    throw invalidArgument("a path has no NUL");
  }
}

/** What opening a file threw. Messages of `@box/io` name the action and the path already. */
function toOpenError(error: unknown): unknown {
  if (!(error instanceof IoError)) return error;
  const { code, message, details, hint } = error;
  return new Qcow2Error({
    code: codes[code],
    message,
    structure: "file",
    details,
    ...(hint !== undefined && { hint }),
    cause: error,
  });
}

const codes: Readonly<Record<IoErrorCode, Qcow2ErrorCode>> = {
  IO_FAILED: "QCOW2_IO",
  IO_SYNC_FAILED: "QCOW2_IO",
  IO_NOT_FOUND: "QCOW2_FILE_NOT_FOUND",
  IO_EXISTS: "QCOW2_TARGET_NOT_EMPTY",
  IO_NO_SPACE: "QCOW2_NO_SPACE",
  IO_READ_ONLY: "QCOW2_READ_ONLY",
  IO_LOCK_HELD: "QCOW2_FILE_IN_USE",
};
