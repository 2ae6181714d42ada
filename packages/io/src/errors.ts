import { BoxError, type ErrorKind } from "@box/errors";

/** Why an operation on the host's files failed. */
export type IoErrorCode =
  | "IO_FAILED" // io
  | "IO_SYNC_FAILED" // io
  | "IO_NOT_FOUND" // not-found
  | "IO_EXISTS" // conflict
  | "IO_NO_SPACE" // no-space
  | "IO_READ_ONLY" // read-only
  | "IO_LOCK_HELD"; // in-use

/** The kind of each code. */
export const ioErrorKinds: Readonly<Record<IoErrorCode, ErrorKind>> = {
  IO_FAILED: "io",
  IO_SYNC_FAILED: "io",
  IO_NOT_FOUND: "not-found",
  IO_EXISTS: "conflict",
  IO_NO_SPACE: "no-space",
  IO_READ_ONLY: "read-only",
  IO_LOCK_HELD: "in-use",
};

/** What an {@link IoError} is made from. */
export interface IoErrorOptions {
  /** The failure's stable name. */
  readonly code: IoErrorCode;
  /** One sentence for a person. */
  readonly message: string;
  /** Facts: `path`, `errno`, `syscall`. */
  readonly details?: Readonly<Record<string, unknown>>;
  /** What to do next. */
  readonly hint?: string;
  /** The system's error. */
  readonly cause?: unknown;
}

/** An operation on the host's files that failed. `details.errno` has the system's name for it, such as `EIO`. */
export class IoError extends BoxError<IoErrorCode> {
  constructor(options: IoErrorOptions) {
    super({ ...options, kind: ioErrorKinds[options.code] });
  }
}
