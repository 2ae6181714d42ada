import { constants } from "node:os";
import { IoError, type IoErrorCode } from "../errors.ts";
import type { FilePath } from "./file-system.ts";

/** What was tried when the system refused. */
export interface FailedAction {
  /** The action in words, such as `cannot read overlay`; the path is added. */
  readonly action: string;
  /** What it was tried on. */
  readonly path: FilePath;
}

const codes: Readonly<Record<string, IoErrorCode>> = {
  ENOENT: "IO_NOT_FOUND",
  EEXIST: "IO_EXISTS",
  ENOSPC: "IO_NO_SPACE",
  EDQUOT: "IO_NO_SPACE",
  EFBIG: "IO_NO_SPACE",
  EROFS: "IO_READ_ONLY",
};

const hints: Readonly<Partial<Record<IoErrorCode, string>>> = {
  IO_NO_SPACE:
    "free space on that file system (or raise the quota or file-size limit) and try again",
  IO_READ_ONLY: "the file system is mounted read-only: use a folder that can be written",
};

/** Turns what a system call threw into an {@link IoError}; one that is an {@link IoError} already is given back. */
export function toIoError(error: unknown, failed: FailedAction, code?: IoErrorCode): IoError {
  if (error instanceof IoError) return error;
  const errno = errnoOf(error);
  const found = code ?? codes[errno ?? ""] ?? "IO_FAILED";
  const path = displayPath(failed.path);
  const hint = hints[found];
  return new IoError({
    code: found,
    message: `${failed.action} ${path}: ${describe(error, errno)}`,
    details: { path, ...(errno === undefined ? {} : { errno }) },
    ...(hint === undefined ? {} : { hint }),
    cause: error,
  });
}

/** The system's name of an error, such as `EIO`; undefined when it is not a system error. */
export function errnoOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const { errno, code } = error as NodeJS.ErrnoException;
  // Node 24 has no name for EDQUOT and calls it "Unknown system error -122".
  if (typeof errno === "number" && errno === -constants.errno.EDQUOT) return "EDQUOT";
  return typeof code === "string" && /^E[A-Z0-9]+$/.test(code) ? code : undefined;
}

/** A path as text for people; bytes that are not UTF-8 become U+FFFD. */
export function displayPath(path: FilePath): string {
  return typeof path === "string" ? path : new TextDecoder().decode(path);
}

function describe(error: unknown, errno: string | undefined): string {
  const message = error instanceof Error ? error.message : String(error);
  if (errno === undefined) return message;
  // Node's messages repeat the path: "EIO: i/o error, open '/a'".
  const reason = message.startsWith(`${errno}: `) ? message.slice(errno.length + 2) : message;
  return `${reason.split(",")[0]} (${errno})`;
}
