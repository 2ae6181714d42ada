import type { FilePath, FileSystem, FileSystemHandle } from "./file-system.ts";
import { displayPath } from "./io-error.ts";

/** One file system call, told before it is carried out. */
export interface FileSystemOperation {
  /** 1 for the first call, counted over all kinds of calls and all files. */
  readonly index: number;
  /** Which call it is. */
  readonly kind: keyof FileSystem | keyof FileSystemHandle;
  /** The path it works on; the source for `rename` and `link`. */
  readonly path: string;
  /** The target of `rename` and `link`. */
  readonly to?: string;
}

/**
 * Wraps a file system so that tests can count, record and fail its calls.
 *
 * @param before - Called before each call; what it throws is what the call throws.
 */
export function observeFileSystem(
  fs: FileSystem,
  before: (operation: FileSystemOperation) => void,
): FileSystem {
  let index = 0;
  const tell = (kind: FileSystemOperation["kind"], path: FilePath, to?: FilePath): void =>
    before({
      index: ++index,
      kind,
      path: displayPath(path),
      ...(to === undefined ? {} : { to: displayPath(to) }),
    });
  const onPath =
    <
      K extends
        | "mkdir"
        | "unlink"
        | "rmdir"
        | "readdir"
        | "stat"
        | "lstat"
        | "realpath"
        | "syncDirectory",
    >(
      kind: K,
    ) =>
    async (path: FilePath, ...rest: unknown[]): Promise<never> => {
      tell(kind, path);
      return (fs[kind] as (path: FilePath, ...rest: unknown[]) => Promise<never>)(path, ...rest);
    };
  return {
    open: async (path, flags, mode) => {
      tell("open", path);
      return observeHandle(await fs.open(path, flags, mode), (kind) => tell(kind, path));
    },
    rename: async (from, to) => {
      tell("rename", from, to);
      return fs.rename(from, to);
    },
    link: async (from, to) => {
      tell("link", from, to);
      return fs.link(from, to);
    },
    mkdir: onPath("mkdir"),
    unlink: onPath("unlink"),
    rmdir: onPath("rmdir"),
    readdir: onPath("readdir"),
    stat: onPath("stat"),
    lstat: onPath("lstat"),
    realpath: onPath("realpath"),
    syncDirectory: onPath("syncDirectory"),
  };
}

function observeHandle(
  handle: FileSystemHandle,
  tell: (kind: keyof FileSystemHandle) => void,
): FileSystemHandle {
  const on =
    <A extends unknown[], R>(kind: keyof FileSystemHandle, call: (...args: A) => Promise<R>) =>
    async (...args: A): Promise<R> => {
      tell(kind);
      return call(...args);
    };
  return {
    read: on("read", handle.read),
    write: on("write", handle.write),
    truncate: on("truncate", handle.truncate),
    chmod: on("chmod", handle.chmod),
    sync: on("sync", handle.sync),
    stat: on("stat", handle.stat),
    close: handle.close,
  };
}
