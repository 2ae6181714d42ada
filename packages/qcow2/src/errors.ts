import { BoxError, type ErrorKind } from "@box/errors";

/** Why an operation on an image failed. Each code names one rule; its kind is in {@link qcow2ErrorKinds}. */
export type Qcow2ErrorCode =
  | "QCOW2_BAD_MAGIC" // corrupt
  | "QCOW2_TRUNCATED" // corrupt
  | "QCOW2_BAD_VERSION" // corrupt
  | "QCOW2_HEADER_LENGTH_INVALID" // corrupt
  | "QCOW2_CLUSTER_BITS_INVALID" // corrupt
  | "QCOW2_REFCOUNT_ORDER_INVALID" // corrupt
  | "QCOW2_FEATURE_CONFLICT" // corrupt
  | "QCOW2_EXTENSION_INVALID" // corrupt
  | "QCOW2_BACKING_NAME_INVALID" // corrupt
  | "QCOW2_L1_TOO_SMALL" // corrupt
  | "QCOW2_REFCOUNT_TABLE_MISSING" // corrupt
  | "QCOW2_MISALIGNED" // corrupt
  | "QCOW2_OUT_OF_FILE" // corrupt
  | "QCOW2_RESERVED_BITS" // corrupt
  | "QCOW2_OVERLAP" // corrupt
  | "QCOW2_REFCOUNT_TOO_LOW" // corrupt
  | "QCOW2_COPIED_BIT_WRONG" // corrupt
  | "QCOW2_SUBCLUSTERS_INVALID" // corrupt
  | "QCOW2_COMPRESSED_ENTRY_INVALID" // corrupt
  | "QCOW2_COMPRESSED_DATA_INVALID" // corrupt
  | "QCOW2_DATA_FILE_OFFSET_WRONG" // corrupt
  | "QCOW2_SNAPSHOT_INVALID" // corrupt
  | "QCOW2_BITMAP_INVALID" // corrupt
  | "QCOW2_LUKS_INVALID" // corrupt
  | "QCOW2_MARKED_CORRUPT" // corrupt
  | "QCOW2_UNSUPPORTED_VERSION" // unsupported
  | "QCOW2_UNSUPPORTED_FEATURE" // unsupported
  | "QCOW2_UNSUPPORTED_COMPRESSION" // unsupported
  | "QCOW2_UNSUPPORTED_ENCRYPTION" // unsupported
  | "QCOW2_UNSUPPORTED_BACKING_FORMAT" // unsupported
  | "QCOW2_TABLE_TOO_LARGE" // limit
  | "QCOW2_IMAGE_TOO_LARGE" // limit
  | "QCOW2_METADATA_LIMIT" // limit
  | "QCOW2_REFCOUNT_OVERFLOW" // limit
  | "QCOW2_LUKS_LIMIT" // limit
  | "QCOW2_DEADLINE" // limit
  | "QCOW2_BACKING_CYCLE" // limit
  | "QCOW2_CHAIN_TOO_DEEP" // limit
  | "QCOW2_BACKING_MISSING" // backing-missing
  | "QCOW2_DATA_FILE_MISSING" // backing-missing
  | "QCOW2_BACKING_DENIED" // denied
  | "QCOW2_DATA_FILE_DENIED" // denied
  | "QCOW2_DATA_FILE_SHARED" // denied
  | "QCOW2_BACKING_FORMAT_UNSPECIFIED" // denied
  | "QCOW2_ENCRYPTED" // encrypted
  | "QCOW2_INVALID_ARGUMENT" // invalid-argument
  | "QCOW2_SNAPSHOT_NOT_FOUND" // not-found
  | "QCOW2_BITMAP_NOT_FOUND" // not-found
  | "QCOW2_TARGET_NOT_EMPTY" // conflict
  | "QCOW2_DIRTY" // conflict
  | "QCOW2_HAS_BITMAPS" // conflict
  | "QCOW2_BITMAP_EXISTS" // conflict
  | "QCOW2_BITMAP_IN_USE" // conflict
  | "QCOW2_IO" // io
  | "QCOW2_SHORT_READ" // io
  | "QCOW2_NO_SPACE" // no-space
  | "QCOW2_READ_ONLY" // read-only
  | "QCOW2_NETWORK" // network
  | "QCOW2_AUTH" // auth
  | "QCOW2_PASSPHRASE_WRONG" // auth
  | "QCOW2_TIMEOUT" // timeout
  | "QCOW2_ABORTED"; // aborted

/** The kind of each code: what a caller may do about it. */
export const qcow2ErrorKinds: Readonly<Record<Qcow2ErrorCode, ErrorKind>> = {
  QCOW2_BAD_MAGIC: "corrupt",
  QCOW2_TRUNCATED: "corrupt",
  QCOW2_BAD_VERSION: "corrupt",
  QCOW2_HEADER_LENGTH_INVALID: "corrupt",
  QCOW2_CLUSTER_BITS_INVALID: "corrupt",
  QCOW2_REFCOUNT_ORDER_INVALID: "corrupt",
  QCOW2_FEATURE_CONFLICT: "corrupt",
  QCOW2_EXTENSION_INVALID: "corrupt",
  QCOW2_BACKING_NAME_INVALID: "corrupt",
  QCOW2_L1_TOO_SMALL: "corrupt",
  QCOW2_REFCOUNT_TABLE_MISSING: "corrupt",
  QCOW2_MISALIGNED: "corrupt",
  QCOW2_OUT_OF_FILE: "corrupt",
  QCOW2_RESERVED_BITS: "corrupt",
  QCOW2_OVERLAP: "corrupt",
  QCOW2_REFCOUNT_TOO_LOW: "corrupt",
  QCOW2_COPIED_BIT_WRONG: "corrupt",
  QCOW2_SUBCLUSTERS_INVALID: "corrupt",
  QCOW2_COMPRESSED_ENTRY_INVALID: "corrupt",
  QCOW2_COMPRESSED_DATA_INVALID: "corrupt",
  QCOW2_DATA_FILE_OFFSET_WRONG: "corrupt",
  QCOW2_SNAPSHOT_INVALID: "corrupt",
  QCOW2_BITMAP_INVALID: "corrupt",
  QCOW2_LUKS_INVALID: "corrupt",
  QCOW2_MARKED_CORRUPT: "corrupt",
  QCOW2_UNSUPPORTED_VERSION: "unsupported",
  QCOW2_UNSUPPORTED_FEATURE: "unsupported",
  QCOW2_UNSUPPORTED_COMPRESSION: "unsupported",
  QCOW2_UNSUPPORTED_ENCRYPTION: "unsupported",
  QCOW2_UNSUPPORTED_BACKING_FORMAT: "unsupported",
  QCOW2_TABLE_TOO_LARGE: "limit",
  QCOW2_IMAGE_TOO_LARGE: "limit",
  QCOW2_METADATA_LIMIT: "limit",
  QCOW2_REFCOUNT_OVERFLOW: "limit",
  QCOW2_LUKS_LIMIT: "limit",
  QCOW2_DEADLINE: "limit",
  QCOW2_BACKING_CYCLE: "limit",
  QCOW2_CHAIN_TOO_DEEP: "limit",
  QCOW2_BACKING_MISSING: "backing-missing",
  QCOW2_DATA_FILE_MISSING: "backing-missing",
  QCOW2_BACKING_DENIED: "denied",
  QCOW2_DATA_FILE_DENIED: "denied",
  QCOW2_DATA_FILE_SHARED: "denied",
  QCOW2_BACKING_FORMAT_UNSPECIFIED: "denied",
  QCOW2_ENCRYPTED: "encrypted",
  QCOW2_INVALID_ARGUMENT: "invalid-argument",
  QCOW2_SNAPSHOT_NOT_FOUND: "not-found",
  QCOW2_BITMAP_NOT_FOUND: "not-found",
  QCOW2_TARGET_NOT_EMPTY: "conflict",
  QCOW2_DIRTY: "conflict",
  QCOW2_HAS_BITMAPS: "conflict",
  QCOW2_BITMAP_EXISTS: "conflict",
  QCOW2_BITMAP_IN_USE: "conflict",
  QCOW2_IO: "io",
  QCOW2_SHORT_READ: "io",
  QCOW2_NO_SPACE: "no-space",
  QCOW2_READ_ONLY: "read-only",
  QCOW2_NETWORK: "network",
  QCOW2_AUTH: "auth",
  QCOW2_PASSPHRASE_WRONG: "auth",
  QCOW2_TIMEOUT: "timeout",
  QCOW2_ABORTED: "aborted",
};

/** A part of an image that an error or a finding points at. */
export type Qcow2Structure =
  | "header"
  | "extension"
  | "backing name"
  | "L1 table"
  | "L2 table"
  | "refcount table"
  | "refcount block"
  | "snapshot table"
  | "snapshot L1 table"
  | "snapshot L2 table"
  | "bitmap directory"
  | "bitmap table"
  | "bitmap data"
  | "encryption header"
  | "data cluster"
  | "compressed cluster"
  | "file";

/** What a {@link Qcow2Error} is made from. */
export interface Qcow2ErrorOptions {
  /** Which rule was broken. */
  readonly code: Qcow2ErrorCode;
  /** One lower-case sentence for a person. */
  readonly message: string;
  /** Where in the file, in bytes. */
  readonly offset?: number;
  /** Which part of the image. */
  readonly structure?: Qcow2Structure;
  /** Further facts; plain JSON values. */
  readonly details?: Readonly<Record<string, unknown>>;
  /** What a person can do next. */
  readonly hint?: string;
  /** The lower-level error. */
  readonly cause?: unknown;
}

/** Every failure of this package. Branch on `kind` or `code`, never on the message. */
export class Qcow2Error extends BoxError<Qcow2ErrorCode> {
  /** Where in the file, in bytes, when the failure has a place. */
  readonly offset: number | undefined;
  /** Which part of the image, when the failure has one. */
  readonly structure: Qcow2Structure | undefined;

  constructor(options: Qcow2ErrorOptions) {
    const { offset, structure, details, ...rest } = options;
    super({
      ...rest,
      kind: qcow2ErrorKinds[options.code],
      details: {
        ...(offset === undefined ? {} : { offset }),
        ...(structure === undefined ? {} : { structure }),
        ...details,
      },
    });
    this.offset = offset;
    this.structure = structure;
  }
}
