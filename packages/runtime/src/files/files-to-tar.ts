import { type TarEntry, tarEnd, tarHeader, tarPadding } from "@box/tar";
import type { FileEvent, FileRecord } from "./file-event.ts";

const nsPerSecond = 1_000_000_000n;

/** Packs files as a tar archive. */
export async function* filesToTar(
  files: AsyncIterable<FileEvent>,
): AsyncGenerator<Uint8Array, void> {
  let padding: Uint8Array = new Uint8Array(0);
  for await (const event of files) {
    if (event.type === "content") {
      yield event.bytes;
      continue;
    }
    if (padding.byteLength > 0) yield padding;
    yield* tarHeader(entryOf(event.record));
    padding = tarPadding(event.record.sizeBytes);
  }
  if (padding.byteLength > 0) yield padding;
  yield tarEnd();
}

function entryOf(record: FileRecord): TarEntry {
  const { kind, mode, uid, gid, mtimeNs, sizeBytes, path, linkTarget } = record;
  const nanoseconds = ((mtimeNs % nsPerSecond) + nsPerSecond) % nsPerSecond;
  return {
    type: kind,
    mode,
    uid,
    gid,
    sizeBytes,
    mtime: {
      seconds: Number((mtimeNs - nanoseconds) / nsPerSecond),
      nanoseconds: Number(nanoseconds),
    },
    path: kind === "directory" ? Buffer.concat([path, Buffer.from("/")]) : path,
    linkPath: linkTarget,
    deviceMajor: 0,
    deviceMinor: 0,
    xattrs: [],
  };
}
