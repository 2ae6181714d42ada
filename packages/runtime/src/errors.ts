import { BoxError, type BoxErrorOptions, type ErrorKind } from "@box/errors";

/** Why the runtime refused or failed; errors of lower packages (`OVERLAY_*`, `OCI_*`, `IO_*`) pass through unchanged. */
export type RuntimeErrorCode =
  | "HOME_NOT_A_FOLDER" // invalid-argument
  | "HOME_NOT_EMPTY" // invalid-argument
  | "HOME_FOREIGN_OWNER" // denied
  | "HOME_WRITABLE_BY_OTHERS" // denied
  | "HOME_UNREADABLE" // io
  | "HOME_TOO_NEW" // unsupported
  | "HOME_VERSION_INVALID" // corrupt
  | "HOME_ON_NETWORK" // unsupported
  | "HOME_PATH_TOO_LONG" // invalid-argument
  | "STATE_FAILED" // io
  | "STATE_NO_SPACE" // no-space
  | "STATE_READ_ONLY" // read-only
  | "STATE_BUSY" // in-use
  | "STATE_CORRUPT" // corrupt
  | "STATE_TOO_NEW" // unsupported
  | "BOX_NAME_INVALID" // invalid-argument
  | "BOX_NAME_TAKEN" // conflict
  | "BOX_NOT_FOUND" // not-found
  | "BOX_IN_USE" // in-use
  | "BOX_STATE_ILLEGAL" // conflict
  | "BOX_LABEL_INVALID" // invalid-argument
  | "BOX_DISK_NOT_MADE" // conflict
  | "BOX_DISK_SHRINKS" // invalid-argument
  | "BOX_SNAPSHOT_NAME_INVALID" // invalid-argument
  | "BOX_SNAPSHOT_NAME_TAKEN" // conflict
  | "BOX_SNAPSHOT_NOT_FOUND" // not-found
  | "BOX_EXPORT_DAMAGED" // corrupt
  | "BOX_ARCHIVE_CORRUPT" // corrupt
  | "BOX_ARCHIVE_TOO_NEW" // unsupported
  | "BOX_IMAGE_CHANGED" // conflict
  | "BOX_BASE_CHANGED" // conflict
  | "BOX_BASE_FOREIGN" // unsupported
  | "BOX_SETTING_INVALID" // invalid-argument
  | "BOX_ENGINE_MISSING" // unsupported
  | "BOX_NOT_RUNNING" // conflict
  | "BOX_MACHINE_ORPHANED" // in-use
  | "OPERATION_EXISTS" // conflict
  | "OPERATION_NOT_FOUND" // not-found
  | "OPERATION_INTERRUPTED"; // interrupted

/** The kind of each code. */
export const runtimeErrorKinds: Readonly<Record<RuntimeErrorCode, ErrorKind>> = {
  HOME_NOT_A_FOLDER: "invalid-argument",
  HOME_NOT_EMPTY: "invalid-argument",
  HOME_FOREIGN_OWNER: "denied",
  HOME_WRITABLE_BY_OTHERS: "denied",
  HOME_UNREADABLE: "io",
  HOME_TOO_NEW: "unsupported",
  HOME_VERSION_INVALID: "corrupt",
  HOME_ON_NETWORK: "unsupported",
  HOME_PATH_TOO_LONG: "invalid-argument",
  STATE_FAILED: "io",
  STATE_NO_SPACE: "no-space",
  STATE_READ_ONLY: "read-only",
  STATE_BUSY: "in-use",
  STATE_CORRUPT: "corrupt",
  STATE_TOO_NEW: "unsupported",
  BOX_NAME_INVALID: "invalid-argument",
  BOX_NAME_TAKEN: "conflict",
  BOX_NOT_FOUND: "not-found",
  BOX_IN_USE: "in-use",
  BOX_STATE_ILLEGAL: "conflict",
  BOX_LABEL_INVALID: "invalid-argument",
  BOX_DISK_NOT_MADE: "conflict",
  BOX_DISK_SHRINKS: "invalid-argument",
  BOX_SNAPSHOT_NAME_INVALID: "invalid-argument",
  BOX_SNAPSHOT_NAME_TAKEN: "conflict",
  BOX_SNAPSHOT_NOT_FOUND: "not-found",
  BOX_EXPORT_DAMAGED: "corrupt",
  BOX_ARCHIVE_CORRUPT: "corrupt",
  BOX_ARCHIVE_TOO_NEW: "unsupported",
  BOX_IMAGE_CHANGED: "conflict",
  BOX_BASE_CHANGED: "conflict",
  BOX_BASE_FOREIGN: "unsupported",
  BOX_SETTING_INVALID: "invalid-argument",
  BOX_ENGINE_MISSING: "unsupported",
  BOX_NOT_RUNNING: "conflict",
  BOX_MACHINE_ORPHANED: "in-use",
  OPERATION_EXISTS: "conflict",
  OPERATION_NOT_FOUND: "not-found",
  OPERATION_INTERRUPTED: "interrupted",
};

/** A home, a state or a box that cannot be used as asked. */
export class RuntimeError extends BoxError<RuntimeErrorCode> {
  constructor(options: Omit<BoxErrorOptions<RuntimeErrorCode>, "kind">) {
    super({ ...options, kind: runtimeErrorKinds[options.code] });
  }
}
