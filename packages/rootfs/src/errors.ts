import { BoxError, type BoxErrorOptions, type ErrorKind } from "@box/errors";

/** Why a root file system could not be made, or a disk could not be kept or made. */
export type RootfsErrorCode =
  | "OVERLAY_IO" // io
  | "OVERLAY_MISSING" // not-found
  | "OVERLAY_BACKING_IO" // io
  | "OVERLAY_BACKING_MISSING" // backing-missing
  | "OVERLAY_BACKING_MISMATCH" // conflict
  | "OVERLAY_CORRUPT" // corrupt
  | "OVERLAY_QUARANTINE_FAILED" // io
  | "OVERLAY_UNSUPPORTED" // unsupported
  | "OVERLAY_LIMIT" // limit
  | "OVERLAY_IN_USE" // in-use
  | "OVERLAY_UNKNOWN" // internal
  | "OVERLAY_TOO_SMALL" // invalid-argument
  | "ROOTFS_WHITEOUT_INVALID" // corrupt
  | "ROOTFS_SYMLINK_LOOP" // corrupt
  | "ROOTFS_PARENT_NOT_DIRECTORY" // corrupt
  | "ROOTFS_ROOT_NOT_DIRECTORY" // corrupt
  | "ROOTFS_LINK_TARGET_MISSING" // corrupt
  | "ROOTFS_LINK_TO_DIRECTORY" // corrupt
  | "ROOTFS_ENTRY_INVALID" // corrupt
  | "ROOTFS_INJECTED_ON_FOLDER" // conflict
  | "ROOTFS_LAYER_CHANGED" // corrupt
  | "ROOTFS_BASE_DIGEST_MISMATCH" // corrupt
  | "ROOTFS_LIMIT"; // limit

/** The kind of each code. */
export const rootfsErrorKinds: Readonly<Record<RootfsErrorCode, ErrorKind>> = {
  OVERLAY_IO: "io",
  OVERLAY_MISSING: "not-found",
  OVERLAY_BACKING_IO: "io",
  OVERLAY_BACKING_MISSING: "backing-missing",
  OVERLAY_BACKING_MISMATCH: "conflict",
  OVERLAY_CORRUPT: "corrupt",
  OVERLAY_QUARANTINE_FAILED: "io",
  OVERLAY_UNSUPPORTED: "unsupported",
  OVERLAY_LIMIT: "limit",
  OVERLAY_IN_USE: "in-use",
  OVERLAY_UNKNOWN: "internal",
  OVERLAY_TOO_SMALL: "invalid-argument",
  ROOTFS_WHITEOUT_INVALID: "corrupt",
  ROOTFS_SYMLINK_LOOP: "corrupt",
  ROOTFS_PARENT_NOT_DIRECTORY: "corrupt",
  ROOTFS_ROOT_NOT_DIRECTORY: "corrupt",
  ROOTFS_LINK_TARGET_MISSING: "corrupt",
  ROOTFS_LINK_TO_DIRECTORY: "corrupt",
  ROOTFS_ENTRY_INVALID: "corrupt",
  ROOTFS_INJECTED_ON_FOLDER: "conflict",
  ROOTFS_LAYER_CHANGED: "corrupt",
  ROOTFS_BASE_DIGEST_MISMATCH: "corrupt",
  ROOTFS_LIMIT: "limit",
};

/** A root file system that could not be made, or a disk that was refused. Nothing was changed unless the code says so. */
export class RootfsError extends BoxError<RootfsErrorCode> {
  constructor(options: Omit<BoxErrorOptions<RootfsErrorCode>, "kind">) {
    super({ ...options, kind: rootfsErrorKinds[options.code] });
  }
}
