import type { Ext4Attributes } from "@box/ext4";
import * as z from "zod";
import { showPath } from "./image-path.ts";

/** One file of an image, as commands print it. */
export interface RootfsEntry {
  /** The path from the root; bytes that are no text as `\xNN`. */
  readonly path: string;
  /** What kind of file it is. */
  readonly type: "file" | "directory" | "symlink" | "char" | "block" | "fifo" | "socket";
  /** Permission bits in octal. */
  readonly mode: string;
  /** Owner. */
  readonly uid: number;
  /** Group. */
  readonly gid: number;
  /** Size in bytes. */
  readonly sizeBytes: number;
  /** When the content last changed, with nanoseconds. */
  readonly mtime: string;
  /** Its inode: names with the same number are one file. */
  readonly inode: number;
  /** How many names it has. */
  readonly links: number;
  /** Where a symbolic link points. */
  readonly target?: string | undefined;
  /** A device's numbers, `MAJOR:MINOR`. */
  readonly device?: string | undefined;
  /** Extended attributes, values in hexadecimal. */
  readonly xattrs?: Readonly<Record<string, string>> | undefined;
}

/** The schema of {@link RootfsEntry}. */
export const rootfsEntry: z.ZodType<RootfsEntry> = z.strictObject({
  path: z.string(),
  type: z.enum(["file", "directory", "symlink", "char", "block", "fifo", "socket"]),
  mode: z.string(),
  uid: z.int(),
  gid: z.int(),
  sizeBytes: z.int(),
  mtime: z.string(),
  inode: z.int(),
  links: z.int(),
  target: z.string().optional(),
  device: z.string().optional(),
  xattrs: z.record(z.string(), z.string()).optional(),
});

/** Describes a file. */
export function toRootfsEntry(path: Uint8Array, attributes: Ext4Attributes): RootfsEntry {
  const { type, mode, uid, gid, sizeBytes, mtime, inode, links, xattrs } = attributes;
  const { symlinkTarget, deviceMajor, deviceMinor } = attributes;
  return {
    path: showPath(path),
    type,
    mode: mode.toString(8).padStart(4, "0"),
    uid,
    gid,
    sizeBytes,
    mtime: showTime(mtime),
    inode,
    links,
    ...(symlinkTarget === undefined ? {} : { target: showPath(symlinkTarget) }),
    ...(deviceMajor === undefined ? {} : { device: `${deviceMajor}:${deviceMinor}` }),
    ...(xattrs.length === 0
      ? {}
      : {
          xattrs: Object.fromEntries(
            xattrs.map(({ name, value }) => [showPath(name), Buffer.from(value).toString("hex")]),
          ),
        }),
  };
}

function showTime({ seconds, nanoseconds }: Ext4Attributes["mtime"]): string {
  const whole = new Date(seconds * 1000).toISOString().slice(0, 19);
  return `${whole}.${String(nanoseconds).padStart(9, "0")}Z`;
}
