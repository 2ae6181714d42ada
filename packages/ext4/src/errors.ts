import { BoxError, type ErrorKind } from "@box/errors";

/** Which rule of a file tree or of an ext4 file system was broken. */
export type Ext4ErrorCode =
  | "EXT4_BAD_NAME" // invalid-argument
  | "EXT4_NAME_TOO_LONG" // limit
  | "EXT4_BAD_SYMLINK" // invalid-argument
  | "EXT4_BAD_ATTRIBUTE" // invalid-argument
  | "EXT4_LINK_TO_DIRECTORY" // invalid-argument
  | "EXT4_TOO_MANY_LINKS" // limit
  | "EXT4_TOO_MANY_NODES" // limit
  | "EXT4_XATTR_UNSUPPORTED" // unsupported
  | "EXT4_XATTR_TOO_LARGE" // limit
  | "EXT4_BAD_ACL" // invalid-argument
  | "EXT4_FILE_TOO_LARGE" // limit
  | "EXT4_DIRECTORY_TOO_LARGE" // limit
  | "EXT4_BAD_LOST_AND_FOUND" // unsupported
  | "EXT4_BAD_OPTION" // invalid-argument
  | "EXT4_SIZE_TOO_SMALL" // invalid-argument
  | "EXT4_TOO_LARGE" // limit
  | "EXT4_BAD_MAGIC" // corrupt
  | "EXT4_BAD_SUPERBLOCK" // corrupt
  | "EXT4_BAD_CHECKSUM" // corrupt
  | "EXT4_TRUNCATED" // corrupt
  | "EXT4_BAD_BLOCK" // corrupt
  | "EXT4_BAD_INODE" // corrupt
  | "EXT4_BAD_EXTENTS" // corrupt
  | "EXT4_BAD_DIRECTORY" // corrupt
  | "EXT4_BAD_XATTR" // corrupt
  | "EXT4_UNSUPPORTED_FEATURE" // unsupported
  | "EXT4_NEEDS_RECOVERY" // unsupported
  | "EXT4_OVER_LIMIT" // limit
  | "EXT4_SYMLINK_LOOP" // limit
  | "EXT4_WRONG_TYPE"; // invalid-argument

/** The kind of each code. */
export const ext4ErrorKinds: Readonly<Record<Ext4ErrorCode, ErrorKind>> = {
  EXT4_BAD_NAME: "invalid-argument",
  EXT4_NAME_TOO_LONG: "limit",
  EXT4_BAD_SYMLINK: "invalid-argument",
  EXT4_BAD_ATTRIBUTE: "invalid-argument",
  EXT4_LINK_TO_DIRECTORY: "invalid-argument",
  EXT4_TOO_MANY_LINKS: "limit",
  EXT4_TOO_MANY_NODES: "limit",
  EXT4_XATTR_UNSUPPORTED: "unsupported",
  EXT4_XATTR_TOO_LARGE: "limit",
  EXT4_BAD_ACL: "invalid-argument",
  EXT4_FILE_TOO_LARGE: "limit",
  EXT4_DIRECTORY_TOO_LARGE: "limit",
  EXT4_BAD_LOST_AND_FOUND: "unsupported",
  EXT4_BAD_OPTION: "invalid-argument",
  EXT4_SIZE_TOO_SMALL: "invalid-argument",
  EXT4_TOO_LARGE: "limit",
  EXT4_BAD_MAGIC: "corrupt",
  EXT4_BAD_SUPERBLOCK: "corrupt",
  EXT4_BAD_CHECKSUM: "corrupt",
  EXT4_TRUNCATED: "corrupt",
  EXT4_BAD_BLOCK: "corrupt",
  EXT4_BAD_INODE: "corrupt",
  EXT4_BAD_EXTENTS: "corrupt",
  EXT4_BAD_DIRECTORY: "corrupt",
  EXT4_BAD_XATTR: "corrupt",
  EXT4_UNSUPPORTED_FEATURE: "unsupported",
  EXT4_NEEDS_RECOVERY: "unsupported",
  EXT4_OVER_LIMIT: "limit",
  EXT4_SYMLINK_LOOP: "limit",
  EXT4_WRONG_TYPE: "invalid-argument",
};

/** What an {@link Ext4Error} is made from. */
export interface Ext4ErrorOptions {
  /** The failure's stable name. */
  readonly code: Ext4ErrorCode;
  /** One sentence for a person. */
  readonly message: string;
  /** Facts for programs. */
  readonly details?: Readonly<Record<string, unknown>>;
  /** What to do next. */
  readonly hint?: string;
  /** The lower-level error. */
  readonly cause?: unknown;
}

/** A file tree that ext4 cannot hold, or an image that breaks the format. */
export class Ext4Error extends BoxError<Ext4ErrorCode> {
  constructor(options: Ext4ErrorOptions) {
    super({ ...options, kind: ext4ErrorKinds[options.code] });
  }
}
