import { type TarEntry, tarEnd, tarHeader, tarPadding } from "@box/tar";

/** A file or a folder of an archive that is being written. */
export interface ArchiveMember {
  /** Its path; a folder's ends with a slash. */
  readonly path: string;
  /** Its size in bytes. */
  readonly size: number;
  /** Its content; asked for when its turn has come. */
  readonly content: () => AsyncIterable<Uint8Array>;
}

/** A member whose content is in memory. */
export function memberOf(path: string, content: string | Uint8Array): ArchiveMember {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  return { path, size: bytes.byteLength, content: () => once(bytes) };
}

/** A folder. */
export function folderOf(path: string): ArchiveMember {
  return { path: `${path}/`, size: 0, content: nothing };
}

/** Writes a tar archive as it is read; the same members give the same bytes. */
export async function* streamTar(
  members: Iterable<ArchiveMember>,
): AsyncGenerator<Uint8Array, void, undefined> {
  for (const { path, size, content } of members) {
    yield* tarHeader(entryOf(path, size));
    let written = 0;
    for await (const chunk of content()) {
      written += chunk.byteLength;
      yield chunk;
    }
    // Whoever describes content verifies it, so that this is a mistake of ours.
    if (written !== size) throw new Error(`${path} has ${written} bytes instead of ${size}`);
    yield tarPadding(size);
  }
  yield tarEnd();
}

function entryOf(path: string, sizeBytes: number): TarEntry {
  const isFolder = path.endsWith("/");
  return {
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
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  yield bytes;
}

async function* nothing(): AsyncGenerator<Uint8Array, void, undefined> {}
