import { type BigIntStats, constants } from "node:fs";
import { lstat, open, readdir, readlink, stat } from "node:fs/promises";
import { errnoOf, toIoError } from "@box/io/node";
import type { FileEvent, FileRecord } from "@box/runtime";

/** What {@link readHostFiles} takes. */
export interface ReadHostFilesOptions {
  /** Whether a link that the path itself is, is followed. */
  readonly follows: boolean;
  readonly signal: AbortSignal;
  /** Told of what is left out: sockets, pipes and devices. */
  readonly onLeftOut: (path: string) => void;
}

/** Names of files that have several, by device and inode. */
type FirstNames = Map<string, Uint8Array>;

const chunkBytes = 256 * 1024;
const separator = Buffer.from("/");
const none = new Uint8Array(0);

/** A file of this host, or a folder with what is in it; the topmost one has the given name. @throws IoError; the signal's reason. */
export async function* readHostFiles(
  path: string,
  name: Uint8Array,
  options: ReadHostFilesOptions,
): AsyncGenerator<FileEvent, void> {
  yield* readFile(Buffer.from(path), name, options, new Map());
}

async function* readFile(
  path: Buffer,
  name: Uint8Array,
  options: ReadHostFilesOptions,
  firstNames: FirstNames,
): AsyncGenerator<FileEvent, void> {
  options.signal.throwIfAborted();
  const own = { ...options, follows: false };
  const at = path.toString();
  try {
    const look = options.follows ? stat : lstat;
    const stats = await look(path, { bigint: true });
    if (stats.isSymbolicLink()) {
      const linkTarget = await readlink(path, { encoding: "buffer" });
      yield { type: "record", record: { ...recordOf("symlink", name, stats), linkTarget } };
    } else if (stats.isDirectory()) {
      yield { type: "record", record: recordOf("directory", name, stats) };
      const entries = (await readdir(path, { encoding: "buffer" })).sort(Buffer.compare);
      for (const entry of entries) {
        const below = Buffer.concat([name, separator, entry]);
        yield* readFile(Buffer.concat([path, separator, entry]), below, own, firstNames);
      }
    } else if (stats.isFile()) {
      const key = `${stats.dev}:${stats.ino}`;
      const linkTarget = stats.nlink > 1n ? firstNames.get(key) : undefined;
      if (linkTarget !== undefined) {
        yield { type: "record", record: { ...recordOf("hardlink", name, stats), linkTarget } };
        return;
      }
      if (stats.nlink > 1n) firstNames.set(key, name);
      yield* readContent(path, name, options);
    } else {
      options.onLeftOut(at);
    }
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    throw toIoError(error, { action: "cannot read", path: at });
  }
}

/** Exactly as many bytes as were told, also of a file that changes meanwhile. */
async function* readContent(
  path: Buffer,
  name: Uint8Array,
  { follows, signal }: ReadHostFilesOptions,
): AsyncGenerator<FileEvent, void> {
  const flags = constants.O_RDONLY | constants.O_NONBLOCK | (follows ? 0 : constants.O_NOFOLLOW);
  await using file = await open(path, flags);
  const stats = await file.stat({ bigint: true });
  const sizeBytes = Number(stats.size);
  yield { type: "record", record: { ...recordOf("file", name, stats), sizeBytes } };
  for (let offset = 0; offset < sizeBytes; ) {
    signal.throwIfAborted();
    const buffer = Buffer.alloc(Math.min(chunkBytes, sizeBytes - offset));
    const { bytesRead } = await file.read(buffer, 0, buffer.byteLength, offset);
    const bytes = bytesRead === 0 ? buffer : buffer.subarray(0, bytesRead);
    offset += bytes.byteLength;
    yield { type: "content", bytes };
  }
}

function recordOf(kind: FileRecord["kind"], path: Uint8Array, stats: BigIntStats): FileRecord {
  return {
    kind,
    mode: Number(stats.mode) & 0o7777,
    uid: Number(stats.uid),
    gid: Number(stats.gid),
    mtimeNs: stats.mtimeNs,
    sizeBytes: 0,
    path,
    linkTarget: none,
  };
}
