import { accessSync, constants, statfsSync } from "node:fs";
import { dirname } from "node:path";
import { isBoxError } from "@box/errors";
import { errnoOf } from "@box/io/node";
import { RuntimeError, type RuntimeErrorCode } from "../errors.ts";

/** SQLite's primary result codes that say more than that it failed. */
const codes: Readonly<Record<number, RuntimeErrorCode>> = {
  1: "STATE_CORRUPT", // SQLITE_ERROR: a table or a column is not there, or there already
  5: "STATE_BUSY", // SQLITE_BUSY
  8: "STATE_READ_ONLY", // SQLITE_READONLY
  11: "STATE_CORRUPT", // SQLITE_CORRUPT
  13: "STATE_NO_SPACE", // SQLITE_FULL
  26: "STATE_CORRUPT", // SQLITE_NOTADB
};

const cannotOpen = 14; // SQLITE_CANTOPEN
const cannotGrowIndex = 4874; // SQLITE_IOERR_SHMSIZE: the index of the write-ahead log, which reading needs too

const hints: Readonly<Partial<Record<RuntimeErrorCode, string>>> = {
  STATE_BUSY: "another process keeps the state busy: try again",
  STATE_NO_SPACE: "free space on the home's file system and try again",
  STATE_READ_ONLY: "the home cannot be written to: use a home on a writable file system",
  STATE_CORRUPT:
    "keep the file, put a backup of it in its place or use another home; the disks below boxes/ are not affected",
};

/** Turns what the database threw into a {@link RuntimeError}; errors with a code pass through. */
export function toStateError(error: unknown, path: string): Error {
  if (isBoxError(error)) return error;
  const { code: nodeCode, errcode, message } = error as SqliteFailure;
  // A number that nothing here has written: Node.js does not hand it over.
  if (nodeCode === "ERR_OUT_OF_RANGE") return stateError("STATE_CORRUPT", path, message, error);
  // Anything that SQLite did not throw is a bug, and stays as it is.
  if (typeof errcode !== "number") return error as Error;
  const code = codeOf(errcode, path);
  const isIndex = code === "STATE_NO_SPACE" && errcode === cannotGrowIndex;
  const reason = isIndex ? "there is no room for the index of its log" : message;
  return stateError(code, path, reason, error);
}

/** What `node:sqlite` throws. */
interface SqliteFailure {
  readonly code?: string;
  readonly errcode?: number;
  readonly message?: string;
}

function stateError(
  code: RuntimeErrorCode,
  path: string,
  reason: string | undefined,
  cause: unknown,
): RuntimeError {
  const hint = hints[code];
  const { errcode } = cause as SqliteFailure;
  return new RuntimeError({
    code,
    message: `cannot use the state ${path}: ${reason ?? "unknown failure"}`,
    details: { path, ...(errcode === undefined ? {} : { sqlite: errcode }) },
    ...(hint === undefined ? {} : { hint }),
    retryable: code === "STATE_BUSY",
    cause,
  });
}

function codeOf(errcode: number, path: string): RuntimeErrorCode {
  if (errcode === cannotGrowIndex && isFull(dirname(path))) return "STATE_NO_SPACE";
  const primary = errcode & 0xff;
  return primary === cannotOpen ? codeOfUnopened(path) : (codes[primary] ?? "STATE_FAILED");
}

const indexBytes = 32 * 1024;

/** Whether the file system of a folder has no room for the index of a write-ahead log. */
function isFull(folder: string): boolean {
  try {
    const { bavail, bsize } = statfsSync(folder);
    return bavail * bsize < indexBytes;
  } catch {
    return false;
  }
}

/** SQLite does not say why it could not open a file; a file system that is read-only is the cause worth telling. */
function codeOfUnopened(path: string): RuntimeErrorCode {
  try {
    accessSync(dirname(path), constants.W_OK);
    return "STATE_FAILED";
  } catch (error) {
    return errnoOf(error) === "EROFS" ? "STATE_READ_ONLY" : "STATE_FAILED";
  }
}
