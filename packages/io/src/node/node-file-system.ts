import {
  close,
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  fsync,
  ftruncate,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  read,
  readdir,
  readSync,
  realpathSync,
  rename,
  rmdir,
  statSync,
  unlink,
  write,
  writeSync,
} from "node:fs";
import type { FilePath, FileSystem, FileSystemHandle } from "./file-system.ts";
import { shortCall } from "./short-call.ts";

/**
 * The host's file system.
 *
 * Calls that only look something up or make a name are done on the spot: a trip through Node's thread pool takes ten times as long.
 * What moves data, waits for a disk or gives space back goes through the pool.
 */
export const nodeFileSystem: FileSystem = {
  open: openHandle,
  mkdir: (path, mode) => shortCall(() => void mkdirSync(hostPath(path), { mode: mode ?? 0o700 })),
  rename: (from, to) => pooled((done) => rename(hostPath(from), hostPath(to), done)),
  link: (from, to) => shortCall(() => linkSync(hostPath(from), hostPath(to))),
  unlink: (path) => pooled((done) => unlink(hostPath(path), done)),
  rmdir: (path) => pooled((done) => rmdir(hostPath(path), done)),
  readdir: (path) => pooled((done) => readdir(hostPath(path), done)),
  stat: (path) => shortCall(() => statSync(hostPath(path), { bigint: true })),
  lstat: (path) => shortCall(() => lstatSync(hostPath(path), { bigint: true })),
  realpath: (path) => shortCall(() => realpathSync.native(hostPath(path))),
  syncDirectory: async (path) => {
    const handle = await openHandle(path, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  },
};

/** A path as Node's functions take it. */
function hostPath(path: FilePath): string | Buffer {
  return typeof path === "string" ? path : Buffer.from(path);
}

async function openHandle(path: FilePath, flags: number, mode?: number): Promise<FileSystemHandle> {
  const fd = await shortCall(() => openSync(hostPath(path), flags, mode ?? 0o600));
  const isReadOnly = (flags & (constants.O_WRONLY | constants.O_RDWR)) === 0;
  const use = new Descriptor(fd, isReadOnly);
  return {
    read: (into, position) =>
      use.pooled((done) => read(fd, into, 0, into.byteLength, position, done)),
    readSync: (into, position) =>
      use.atOnce(() => readSync(fd, into, 0, into.byteLength, position)),
    write: (bytes, position) =>
      use.pooled((done) => write(fd, bytes, 0, bytes.byteLength, position, done)),
    writeSync: (bytes, position) =>
      use.atOnce(() => writeSync(fd, bytes, 0, bytes.byteLength, position)),
    truncate: (size) => use.pooled((done) => ftruncate(fd, size, done)),
    chmod: (permissions) => use.shortly(() => fchmodSync(fd, permissions)),
    sync: () => use.pooled((done) => fsync(fd, done)),
    stat: () => use.shortly(() => fstatSync(fd, { bigint: true })),
    sizeSync: () => use.atOnce(() => fstatSync(fd).size),
    close: () => use.close(),
  };
}

/** A call that goes through Node's thread pool. `node:fs/promises` has the same, and brings much that is not needed. */
function pooled<T>(call: (done: Done<T>) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    call((error, result) => (error ? reject(error) : resolve(result as T)));
  });
}

type Done<T> = (error: NodeJS.ErrnoException | null, result?: T) => void;

/** A file descriptor that is closed when nothing is under way on it: by then its number may be another file's. */
class Descriptor {
  readonly #fd: number;
  readonly #isReadOnly: boolean;
  readonly #underWay = new Set<Promise<unknown>>();
  #closing: Promise<void> | undefined;

  constructor(fd: number, isReadOnly: boolean) {
    this.#fd = fd;
    this.#isReadOnly = isReadOnly;
  }

  atOnce<T>(work: () => T): T {
    if (this.#closing !== undefined) throw closed();
    return work();
  }

  async shortly<T>(work: () => T): Promise<T> {
    return shortCall(() => this.atOnce(work));
  }

  async pooled<T>(work: (done: Done<T>) => void): Promise<T> {
    if (this.#closing !== undefined) throw closed();
    const promise = pooled(work);
    this.#underWay.add(promise);
    try {
      return await promise;
    } finally {
      this.#underWay.delete(promise);
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await Promise.allSettled(this.#underWay);
    // The last descriptor of a file that was written to may give much space back, or bring data to a server.
    if (this.#isReadOnly) return shortCall(() => closeSync(this.#fd));
    return pooled((done) => close(this.#fd, done));
  }
}

function closed(): Error {
  return Object.assign(new Error("EBADF: it is closed"), { code: "EBADF" });
}
