import { type TarEntry, tarHeader } from "@box/tar";

/** The header of a file of an archive, or of a folder, whose path ends with a slash; the same each time. */
export function memberHeader(path: string, sizeBytes: number): Uint8Array {
  const isFolder = path.endsWith("/");
  const entry: TarEntry = {
    path: new TextEncoder().encode(path),
    type: isFolder ? "directory" : "file",
    mode: isFolder ? 0o755 : 0o644,
    uid: 0,
    gid: 0,
    sizeBytes,
    mtime: { seconds: 0, nanoseconds: 0 },
    linkPath: new Uint8Array(0),
    deviceMajor: 0,
    deviceMinor: 0,
    xattrs: [],
  };
  return Buffer.concat(tarHeader(entry));
}
