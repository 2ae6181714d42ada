import type { FileFacts } from "@box/io/node";

/**
 * What tells a finished file from one that was written to, copied or brought back since, without reading it. A change time
 * is none: links and permissions change it. Nor is a device: its number may be another after the next boot.
 */
export interface BaseStamp {
  /** When its content was changed last, in nanoseconds since 1970. */
  readonly mtimeNs: string;
  /** Its number on its device. */
  readonly inode: string;
}

/** The stamp of a file. */
export function stampOf({ mtimeNs, ino }: FileFacts): BaseStamp {
  return { mtimeNs: String(mtimeNs), inode: String(ino) };
}

/** Whether two stamps are the same. What is none is like no other: records come from files. */
export function isSameStamp(one: unknown, other: BaseStamp): boolean {
  const { mtimeNs, inode } = (one ?? {}) as Partial<Record<keyof BaseStamp, unknown>>;
  return mtimeNs === other.mtimeNs && inode === other.inode;
}
