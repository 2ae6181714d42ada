import { constants, fstatSync, readSync, writeSync } from "node:fs";
import {
  link,
  lstat,
  mkdir,
  open,
  readdir,
  realpath,
  rename,
  rmdir,
  stat,
  unlink,
} from "node:fs/promises";
import type { FilePath, FileSystem, FileSystemHandle } from "./file-system.ts";

/** The host's file system. */
export const nodeFileSystem: FileSystem = {
  open: openHandle,
  mkdir: async (path, mode) => void (await mkdir(hostPath(path), { mode: mode ?? 0o700 })),
  rename: (from, to) => rename(hostPath(from), hostPath(to)),
  link: (from, to) => link(hostPath(from), hostPath(to)),
  unlink: (path) => unlink(hostPath(path)),
  rmdir: (path) => rmdir(hostPath(path)),
  readdir: (path) => readdir(hostPath(path)),
  stat: (path) => stat(hostPath(path), { bigint: true }),
  lstat: (path) => lstat(hostPath(path), { bigint: true }),
  realpath: (path) => realpath(hostPath(path)),
  syncDirectory: async (path) => {
    const handle = await open(hostPath(path), constants.O_RDONLY | constants.O_DIRECTORY);
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
  const handle = await open(hostPath(path), flags, mode ?? 0o600);
  return {
    read: async (into, position) =>
      (await handle.read(into, 0, into.byteLength, position)).bytesRead,
    readSync: (into, position) => readSync(handle.fd, into, 0, into.byteLength, position),
    write: async (bytes, position) =>
      (await handle.write(bytes, 0, bytes.byteLength, position)).bytesWritten,
    writeSync: (bytes, position) => writeSync(handle.fd, bytes, 0, bytes.byteLength, position),
    truncate: (size) => handle.truncate(size),
    chmod: (mode) => handle.chmod(mode),
    sync: () => handle.sync(),
    stat: () => handle.stat({ bigint: true }),
    sizeSync: () => fstatSync(handle.fd).size,
    close: () => handle.close(),
  };
}
