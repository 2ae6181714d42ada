/** What kind of file a node is. */
export type NodeType = "file" | "directory" | "symlink" | "char" | "block" | "fifo";

/** A point in time: whole seconds since 1970 (negative before), and nanoseconds that always count forwards. */
export interface NodeTime {
  /** Whole seconds, rounded down. */
  readonly seconds: number;
  /** 0 to 999,999,999. */
  readonly nanoseconds: number;
}

/** One extended attribute. */
export interface NodeXattr {
  /** The full name, such as `user.mime`, as bytes. */
  readonly name: Uint8Array;
  /** Any bytes. */
  readonly value: Uint8Array;
}

/** A range of a file that is not a hole. */
export interface DataRun {
  /** Where it starts in the file, in bytes. */
  readonly offset: number;
  /** Its length in bytes. */
  readonly length: number;
}

/** Everything that a node is, besides its names. */
export interface NodeAttributes {
  /** What kind of file it is. */
  readonly type: NodeType;
  /** The twelve permission bits, set-id and sticky included. A symlink's are always 0777. */
  readonly mode: number;
  /** The owner, 32 bits. */
  readonly uid: number;
  /** The group, 32 bits. */
  readonly gid: number;
  /** When its content last changed. */
  readonly mtime: NodeTime;
  /** Extended attributes; POSIX ACLs in the form that getxattr shows (version 2). */
  readonly xattrs: readonly NodeXattr[];
  /** Where a symlink points, 1 to 4,095 bytes. Only symlinks have one, and each does. */
  readonly symlinkTarget?: Uint8Array;
  /** A device's major number, below 4,096. */
  readonly deviceMajor?: number;
  /** A device's minor number, below 1,048,576. */
  readonly deviceMinor?: number;
  /** A file's size; 0 when absent. */
  readonly sizeBytes?: number;
  /** The parts of a file that are not holes, in order; without them all of it is data. */
  readonly dataRuns?: readonly DataRun[];
}

/** The bits of `i_mode` that say what kind of file an inode is. */
export const typeBits: Readonly<Record<NodeType, number>> = {
  fifo: 0x1000,
  char: 0x2000,
  directory: 0x4000,
  block: 0x6000,
  file: 0x8000,
  symlink: 0xa000,
};

const typesByBits: ReadonlyMap<number, NodeType> = new Map(
  (Object.keys(typeBits) as NodeType[]).map((type) => [typeBits[type], type]),
);

/** The kind of file that an `i_mode` names; nothing for a socket and for anything unknown. */
export function typeOfMode(mode: number): NodeType | undefined {
  return typesByBits.get(mode & 0xf000);
}
