import type { TarEntry } from "@box/tar";

/** One file of the guest's system: its tar header and, for a regular file, its bytes. */
export interface SystemFile {
  /** The tar header. */
  readonly entry: TarEntry;
  /** The bytes of a regular file. */
  readonly content?: Uint8Array;
}

/** The directories of the guest's system, parents first: path, permission bits, what it is for. */
const directories: readonly (readonly [path: string, mode: number])[] = [
  ["box", 0o755], //   where the box's own disk is mounted
  ["dev", 0o755], //   devtmpfs
  ["etc", 0o755],
  ["proc", 0o555], //  procfs
  ["root", 0o700], //  home of the only user
  ["run", 0o755], //   tmpfs
  ["sys", 0o555], //   sysfs
  ["tmp", 0o1777],
];

/** The regular files of the guest's system: path and text. */
const files: readonly (readonly [path: string, text: string])[] = [
  ["etc/group", "root:x:0:\n"],
  ["etc/hostname", "box\n"],
  ["etc/hosts", "127.0.0.1 localhost\n::1 localhost\n127.0.1.1 box\n"],
  ["etc/os-release", 'ID=box-guest\nNAME="Box guest"\nPRETTY_NAME="Box guest 1"\nVERSION_ID=1\n'],
  ["etc/passwd", "root:x:0:0:root:/root:/sbin/nologin\n"],
];

/**
 * The smallest system that the guest needs: mount points and the names of its only user and host.
 *
 * Every file belongs to root and was changed last in 1970, so that the same tree has the same bytes always.
 */
export function systemTree(): readonly SystemFile[] {
  return [
    ...directories.map(([path, mode]) => ({ entry: entryOf("directory", `${path}/`, mode, 0) })),
    ...files.map(([path, text]) => {
      const content = new TextEncoder().encode(text);
      return { entry: entryOf("file", path, 0o644, content.length), content };
    }),
  ];
}

function entryOf(
  type: "directory" | "file",
  path: string,
  mode: number,
  sizeBytes: number,
): TarEntry {
  return {
    path: new TextEncoder().encode(path),
    type,
    mode,
    uid: 0,
    gid: 0,
    sizeBytes,
    mtime: { seconds: 0, nanoseconds: 0 },
    linkPath: new Uint8Array(0),
    deviceMajor: 0,
    deviceMinor: 0,
    xattrs: [],
  };
}
