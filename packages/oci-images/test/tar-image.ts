import { buildTar, type TarEntry } from "@box/tar";

/** A file, or a folder when it has no content. */
export type TarPart = readonly [path: string, content?: string];

/** A layer's archive, owned by whoever runs the tests, so that it can be unpacked without rights. */
export function tarOf(parts: readonly TarPart[]): Uint8Array {
  return buildTar(
    parts.map(([path, text]) => {
      const content = new TextEncoder().encode(text ?? "");
      const entry = entryOf(path, text === undefined, content.byteLength);
      return text === undefined ? { entry } : { entry, content };
    }),
  );
}

function entryOf(path: string, isFolder: boolean, sizeBytes: number): TarEntry {
  return {
    path: new TextEncoder().encode(path),
    type: isFolder ? "directory" : "file",
    mode: isFolder ? 0o755 : 0o644,
    uid: process.getuid?.() ?? 0,
    gid: process.getgid?.() ?? 0,
    sizeBytes,
    mtime: { seconds: 1_700_000_000, nanoseconds: 0 },
    linkPath: new Uint8Array(0),
    deviceMajor: 0,
    deviceMinor: 0,
    xattrs: [],
  };
}
