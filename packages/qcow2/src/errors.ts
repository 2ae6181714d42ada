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
  | "QCOW2_FILE_NOT_FOUND" // not-found
  | "QCOW2_SNAPSHOT_NOT_FOUND" // not-found
  | "QCOW2_BITMAP_NOT_FOUND" // not-found
  | "QCOW2_FILE_IN_USE" // in-use
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
  QCOW2_FILE_NOT_FOUND: "not-found",
  QCOW2_SNAPSHOT_NOT_FOUND: "not-found",
  QCOW2_BITMAP_NOT_FOUND: "not-found",
  QCOW2_FILE_IN_USE: "in-use",
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

const restore = "check it to see all that is wrong; repair it, or restore it from a backup";
const otherProgram = "convert it with the program that made it";

/**
 * What a person can do next about each code, where there is something; the hint of errors that have none of their own.
 * They name no function and no option, because programs show them to people who know neither.
 * `QCOW2_INVALID_ARGUMENT` says in its message what is allowed.
 */
export const qcow2ErrorHints: Readonly<Partial<Record<Qcow2ErrorCode, string>>> = {
  QCOW2_BAD_MAGIC: "if it is a raw disk, open it as raw: a format is never guessed",
  QCOW2_TRUNCATED: restore,
  QCOW2_BAD_VERSION: restore,
  QCOW2_HEADER_LENGTH_INVALID: restore,
  QCOW2_CLUSTER_BITS_INVALID: restore,
  QCOW2_REFCOUNT_ORDER_INVALID: restore,
  QCOW2_FEATURE_CONFLICT: restore,
  QCOW2_EXTENSION_INVALID: restore,
  QCOW2_BACKING_NAME_INVALID: restore,
  QCOW2_L1_TOO_SMALL: restore,
  QCOW2_REFCOUNT_TABLE_MISSING: restore,
  QCOW2_MISALIGNED: restore,
  QCOW2_OUT_OF_FILE: restore,
  QCOW2_RESERVED_BITS: restore,
  QCOW2_OVERLAP: restore,
  QCOW2_REFCOUNT_TOO_LOW: restore,
  QCOW2_COPIED_BIT_WRONG: restore,
  QCOW2_SUBCLUSTERS_INVALID: restore,
  QCOW2_COMPRESSED_ENTRY_INVALID: restore,
  QCOW2_COMPRESSED_DATA_INVALID: restore,
  QCOW2_DATA_FILE_OFFSET_WRONG: "restore the image and its data file from the same backup",
  QCOW2_SNAPSHOT_INVALID: restore,
  QCOW2_BITMAP_INVALID: restore,
  QCOW2_LUKS_INVALID: "restore the image, or the header of its encryption, from a backup",
  QCOW2_MARKED_CORRUPT: "check it, and repair it before it is written",
  QCOW2_UNSUPPORTED_VERSION: otherProgram,
  QCOW2_UNSUPPORTED_FEATURE: otherProgram,
  QCOW2_UNSUPPORTED_COMPRESSION: otherProgram,
  QCOW2_UNSUPPORTED_ENCRYPTION: otherProgram,
  QCOW2_UNSUPPORTED_BACKING_FORMAT:
    "convert the backing file to qcow2 or raw, and rebase the image on it",
  QCOW2_TABLE_TOO_LARGE:
    "larger clusters make tables smaller: convert the image, when it is to be trusted",
  QCOW2_IMAGE_TOO_LARGE: "choose a smaller disk, or larger clusters",
  QCOW2_METADATA_LIMIT: "raise the limit on metadata, when the image is to be trusted",
  QCOW2_REFCOUNT_OVERFLOW: "delete a snapshot, or give the image wider refcounts",
  QCOW2_LUKS_LIMIT: "open it with the program that made it, when the image is to be trusted",
  QCOW2_DEADLINE: "give it more time: nothing is known about the image",
  QCOW2_BACKING_CYCLE: "rebase the image on another file, without reading the old one",
  QCOW2_CHAIN_TOO_DEEP: "commit some of the images into their backing files, or raise the limit",
  QCOW2_BACKING_MISSING:
    "put the backing file back where the message says, or rebase the image on another",
  QCOW2_DATA_FILE_MISSING: "put the data file back where the message says",
  QCOW2_BACKING_DENIED: "allow the backing file, when the image is to be trusted",
  QCOW2_DATA_FILE_DENIED: "allow the data file, when the image is to be trusted",
  QCOW2_DATA_FILE_SHARED: "give the image a data file of its own",
  QCOW2_BACKING_FORMAT_UNSPECIFIED: "state the format: rebase the image on the same name with one",
  QCOW2_ENCRYPTED: "give the passphrase",
  QCOW2_FILE_NOT_FOUND: "look at the path in the message",
  QCOW2_SNAPSHOT_NOT_FOUND: "list the snapshots that there are",
  QCOW2_BITMAP_NOT_FOUND: "list the bitmaps that there are",
  QCOW2_FILE_IN_USE: "close it where it is open for writing, or share what is open",
  QCOW2_TARGET_NOT_EMPTY: "choose another file, or remove what is there yourself",
  QCOW2_DIRTY: "repair it first",
  QCOW2_HAS_BITMAPS: "remove the bitmaps first",
  QCOW2_BITMAP_EXISTS: "choose another name, or clear the one that is there",
  QCOW2_BITMAP_IN_USE: "remove the bitmap; the next backup is then a full one",
  QCOW2_IO: "look at the storage and its log, then try again: the image may be fine",
  QCOW2_SHORT_READ: "look at the storage and its log, then try again: the image may be fine",
  QCOW2_NO_SPACE: "free some space, then try again",
  QCOW2_READ_ONLY: "open the file for writing, or copy it to where it can be written",
  QCOW2_NETWORK: "try again once the network works: the image may be fine",
  QCOW2_AUTH: "renew the credentials of the storage",
  QCOW2_PASSPHRASE_WRONG:
    "give the passphrase that the image was made with; every byte of it counts",
  QCOW2_TIMEOUT: "try again, or give the storage more time",
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
  /** What a person can do next; what {@link qcow2ErrorHints} says unless given. */
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
    const hint = options.hint ?? qcow2ErrorHints[options.code];
    super({
      ...rest,
      ...(hint === undefined ? {} : { hint }),
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
