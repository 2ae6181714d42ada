/** What kind of file an entry is. */
export type TarEntryType =
  | "file"
  | "directory"
  | "symlink"
  | "hardlink"
  | "char"
  | "block"
  | "fifo";

/** A point in time: whole seconds since 1970 (negative before), and nanoseconds that always count forwards. */
export interface TarTime {
  /** Whole seconds, rounded down. */
  readonly seconds: number;
  /** 0 to 999,999,999. */
  readonly nanoseconds: number;
}

/** One extended attribute. */
export interface TarXattr {
  /** The full name, such as `user.mime`, as bytes. */
  readonly name: Uint8Array;
  /** Any bytes. */
  readonly value: Uint8Array;
}

/** One file of an archive, without its content. */
export interface TarEntry {
  /** The path as it stands in the archive: bytes, nothing normalised. */
  readonly path: Uint8Array;
  /** What kind of file it is. */
  readonly type: TarEntryType;
  /** The twelve permission bits, set-id and sticky included. */
  readonly mode: number;
  /** The owner, 32 bits. */
  readonly uid: number;
  /** The group, 32 bits. */
  readonly gid: number;
  /** The real size of a file in bytes, holes included; 0 for anything else. */
  readonly sizeBytes: number;
  /** When the content last changed. */
  readonly mtime: TarTime;
  /** Where a symlink points or which path a hard link repeats; empty for anything else. */
  readonly linkPath: Uint8Array;
  /** A device's major number, else 0. */
  readonly deviceMajor: number;
  /** A device's minor number, else 0. */
  readonly deviceMinor: number;
  /** Extended attributes, in the order of the archive; POSIX ACLs as getxattr shows them. */
  readonly xattrs: readonly TarXattr[];
}
