import { buildTar, type TarEntry } from "@box/tar";

/** What a member of an archive is. */
export type MemberContent =
  | Uint8Array
  | string
  | { readonly symlink: string }
  | { readonly hardlink: string };

/** A member: its path and content. */
export type Member = readonly [path: string, content: MemberContent];

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

/** An archive with exactly these members, whatever they mean. */
export function tarOf(members: readonly Member[]): Uint8Array {
  return buildTar(
    members.map(([path, content]) => {
      if (typeof content === "object" && "symlink" in content) {
        return { entry: entryOf(path, "symlink", 0, content.symlink) };
      }
      if (typeof content === "object" && "hardlink" in content) {
        return { entry: entryOf(path, "hardlink", 0, content.hardlink) };
      }
      const bytes = typeof content === "string" ? bytesOf(content) : content;
      return { entry: entryOf(path, "file", bytes.byteLength), content: bytes };
    }),
  );
}

function entryOf(path: string, type: TarEntry["type"], sizeBytes: number, link = ""): TarEntry {
  return {
    path: bytesOf(path),
    type,
    mode: 0o644,
    uid: 0,
    gid: 0,
    sizeBytes,
    mtime: { seconds: 0, nanoseconds: 0 },
    linkPath: bytesOf(link),
    deviceMajor: 0,
    deviceMinor: 0,
    xattrs: [],
  };
}
