import { constants } from "node:fs";
import type { OpenFile } from "../random-access.ts";
import { type DirectChoice, withDirectTransfers } from "./direct-transfers.ts";
import type { FilePath, FileSystem, FileSystemHandle } from "./file-system.ts";
import { displayPath, errnoOf, toIoError } from "./io-error.ts";
import { nodeFileSystem } from "./node-file-system.ts";

/** How {@link openFile} opens a file. */
export interface OpenFileOptions {
  /** `r` reads only (the default), `rw` also writes, `create` makes a new file and refuses an existing one. */
  readonly mode?: "r" | "rw" | "create";
  /** Whether a symbolic link as the last part of the path is followed; true unless said otherwise. */
  readonly followLink?: boolean;
  /**
   * Whether reads and writes of up to 64 KiB, and asking for the size, block the thread instead of going through Node's thread pool: several times
   * faster where the file is in the page cache, as those of a local disk are, and a stall of everything else where it is
   * not. False unless said otherwise.
   */
  readonly blocking?: boolean;
  /**
   * Whether large transfers of {@link pageAlignedBytes} go past the page cache where the file system can; false unless said
   * otherwise. A function is asked before each.
   */
  readonly direct?: DirectChoice;
  /** The file system calls; the host's unless given. */
  readonly fs?: FileSystem;
}

const maxBlockingBytes = 65536;

const modeFlags = {
  r: constants.O_RDONLY,
  rw: constants.O_RDWR,
  create: constants.O_RDWR | constants.O_CREAT | constants.O_EXCL,
};

/**
 * Opens a regular file on the host for access at byte offsets.
 *
 * A folder, a socket or another special file is refused as `IO_FAILED` with errno `EISDIR` or `EINVAL`; opening
 * never blocks on a FIFO.
 *
 * @throws IoError `IO_NOT_FOUND`, `IO_EXISTS`, `IO_NO_SPACE`, `IO_READ_ONLY` or `IO_FAILED`.
 */
export async function openFile(path: FilePath, options: OpenFileOptions = {}): Promise<OpenFile> {
  const { mode = "r", followLink = true, blocking = false, direct = false } = options;
  const { fs = nodeFileSystem } = options;
  const how = constants.O_NONBLOCK | (followLink ? 0 : constants.O_NOFOLLOW);
  const failed = { action: "cannot open", path };
  let handle: FileSystemHandle;
  try {
    handle = await fs.open(path, modeFlags[mode] | how);
  } catch (error) {
    const isLink = !followLink && errnoOf(error) === "ELOOP" && (await isSymbolicLink(fs, path));
    throw toIoError(isLink ? symbolicLink(path) : error, failed);
  }
  try {
    const facts = await handle.stat();
    if (!facts.isFile()) throw notRegular(path, facts.isDirectory());
    if (direct !== false) {
      const again = how | (mode === "r" ? constants.O_RDONLY : constants.O_RDWR);
      handle = await withDirectTransfers(fs, handle, path, again, direct);
    }
    return fileOn(handle, path, `${facts.dev}:${facts.ino}`, mode !== "r", blocking);
  } catch (error) {
    await handle.close().catch(() => {});
    throw toIoError(error, failed);
  }
}

/** Access at byte offsets on an open handle. Short reads and writes of the system are completed. */
export function fileOn(
  handle: FileSystemHandle,
  path: FilePath,
  identity: string,
  writable: boolean,
  blocking = false,
): OpenFile {
  let closed: Promise<void> | undefined;
  const readSync = blocking ? handle.readSync : undefined;
  const writeSync = blocking ? handle.writeSync : undefined;
  const sizeSync = blocking ? handle.sizeSync : undefined;
  // A closed handle has no descriptor of its own any more; its number may be another file's.
  const isQuick = (length: number): boolean => length <= maxBlockingBytes && !closed;
  const attempt = async <T>(action: string, work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw toIoError(error, { action, path });
    }
  };
  const close = (): Promise<void> => {
    closed ??= attempt("cannot close", () => handle.close());
    return closed;
  };
  return {
    size: () =>
      attempt("cannot read the size of", async () =>
        sizeSync && isQuick(0) ? sizeSync() : Number((await handle.stat()).size),
      ),
    read: (offset, length, into = new Uint8Array(length)) =>
      attempt("cannot read", async () => {
        const part = into.subarray(0, length);
        return readSync && isQuick(length)
          ? readFullySync(readSync, offset, part)
          : readFully(handle, offset, part);
      }),
    ...(writable && {
      write: (offset: number, bytes: Uint8Array) =>
        attempt("cannot write", async () => {
          if (writeSync && isQuick(bytes.byteLength)) writeFullySync(writeSync, offset, bytes);
          else await writeFully(handle, offset, bytes);
        }),
      truncate: (size: number) => attempt("cannot resize", () => handle.truncate(size)),
      flush: async () => {
        try {
          await handle.sync();
        } catch (error) {
          throw toIoError(error, { action: "cannot sync", path }, "IO_SYNC_FAILED");
        }
      },
    }),
    identity: () => identity,
    close,
    [Symbol.asyncDispose]: close,
  };
}

function readFullySync(
  readSync: NonNullable<FileSystemHandle["readSync"]>,
  offset: number,
  into: Uint8Array,
): Uint8Array {
  let done = 0;
  while (done < into.byteLength) {
    const read = readSync(into.subarray(done), offset + done);
    if (read === 0) break;
    done += read;
  }
  return into.subarray(0, done);
}

async function readFully(
  handle: FileSystemHandle,
  offset: number,
  into: Uint8Array,
): Promise<Uint8Array> {
  let done = 0;
  while (done < into.byteLength) {
    const read = await handle.read(into.subarray(done), offset + done);
    if (read === 0) break;
    done += read;
  }
  return into.subarray(0, done);
}

function writeFullySync(
  writeSync: NonNullable<FileSystemHandle["writeSync"]>,
  offset: number,
  bytes: Uint8Array,
): void {
  let done = 0;
  while (done < bytes.byteLength) {
    const written = writeSync(bytes.subarray(done), offset + done);
    if (written === 0) throw new Error("the system wrote no bytes");
    done += written;
  }
}

async function writeFully(
  handle: FileSystemHandle,
  offset: number,
  bytes: Uint8Array,
): Promise<void> {
  let done = 0;
  while (done < bytes.byteLength) {
    const written = await handle.write(bytes.subarray(done), offset + done);
    if (written === 0) throw new Error("the system wrote no bytes");
    done += written;
  }
}

/** The system says of a link that is not followed what it says of a loop of links above it. */
async function isSymbolicLink(fs: FileSystem, path: FilePath): Promise<boolean> {
  try {
    return (await fs.lstat(path)).isSymbolicLink();
  } catch {
    return false;
  }
}

function symbolicLink(path: FilePath): Error {
  const message = "ELOOP: it is a symbolic link";
  return Object.assign(new Error(message), { code: "ELOOP", path: displayPath(path) });
}

function notRegular(path: FilePath, isDirectory: boolean): Error {
  const errno = isDirectory ? "EISDIR" : "EINVAL";
  const reason = isDirectory ? "it is a folder" : "it is not a regular file";
  return Object.assign(new Error(`${errno}: ${reason}`), { code: errno, path: displayPath(path) });
}
