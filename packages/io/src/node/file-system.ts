/** A path: text, or bytes where a name may not be UTF-8. */
export type FilePath = string | Uint8Array;

/** What a file system says about a file; `fs.BigIntStats` of Node is one. */
export interface FileFacts {
  /** The device that the file is on. */
  readonly dev: bigint;
  /** Its number on that device. */
  readonly ino: bigint;
  /** Type and permission bits. */
  readonly mode: bigint;
  /** Names that it has. */
  readonly nlink: bigint;
  /** Who owns it. */
  readonly uid: bigint;
  /** The group that owns it. */
  readonly gid: bigint;
  /** Its length in bytes. */
  readonly size: bigint;
  /** Blocks of 512 bytes that it takes. */
  readonly blocks: bigint;
  /** When its content was changed last, in milliseconds since 1970. */
  readonly mtimeMs: bigint;
  /** The same in nanoseconds. */
  readonly mtimeNs: bigint;
  /** When anything about it was changed last, in nanoseconds since 1970. */
  readonly ctimeNs: bigint;
  /** Whether it is a regular file. */
  isFile(): boolean;
  /** Whether it is a folder. */
  isDirectory(): boolean;
  /** Whether it is a symbolic link. */
  isSymbolicLink(): boolean;
}

/** An open file of a {@link FileSystem}. */
export interface FileSystemHandle {
  /** Reads at a position; returns the number of bytes read, 0 at the end of the file. */
  read(into: Uint8Array, position: number): Promise<number>;
  /** {@link FileSystemHandle.read} without waiting, where the file system can: it blocks the calling thread. */
  readSync?(into: Uint8Array, position: number): number;
  /** Writes at a position; returns the number of bytes written, which may be fewer than given. */
  write(bytes: Uint8Array, position: number): Promise<number>;
  /** {@link FileSystemHandle.write} without waiting, where the file system can: it blocks the calling thread. */
  writeSync?(bytes: Uint8Array, position: number): number;
  /** Cuts or grows the file. */
  truncate(size: number): Promise<void>;
  /** Sets the permission bits, whatever the process's umask. */
  chmod(mode: number): Promise<void>;
  /** Brings data and metadata to stable storage. A failure is final for the file. */
  sync(): Promise<void>;
  /** The file's facts. */
  stat(): Promise<FileFacts>;
  /** The size in bytes without waiting, where the file system can. */
  sizeSync?(): number;
  /** Gives the handle back. */
  close(): Promise<void>;
}

/**
 * The file system calls behind everything durable, small enough to count, record and fail in tests.
 *
 * Every method throws what Node throws: an `Error` with a `code` such as `ENOENT`.
 */
export interface FileSystem {
  /** Opens a file by Node's flags (numbers of `fs.constants`). */
  open(path: FilePath, flags: number, mode?: number): Promise<FileSystemHandle>;
  /** Makes one folder; the parent must exist. */
  mkdir(path: FilePath, mode?: number): Promise<void>;
  /** Renames within one file system, over an existing file. */
  rename(from: FilePath, to: FilePath): Promise<void>;
  /** Makes a hard link; fails when `to` exists. */
  link(from: FilePath, to: FilePath): Promise<void>;
  /** Removes a file. */
  unlink(path: FilePath): Promise<void>;
  /** Removes an empty folder. */
  rmdir(path: FilePath): Promise<void>;
  /** Names in a folder, unsorted. */
  readdir(path: FilePath): Promise<string[]>;
  /** Facts, following symbolic links. */
  stat(path: FilePath): Promise<FileFacts>;
  /** Facts of the name itself. */
  lstat(path: FilePath): Promise<FileFacts>;
  /** The canonical absolute path. */
  realpath(path: FilePath): Promise<string>;
  /** Brings a folder's entries to stable storage. */
  syncDirectory(path: FilePath): Promise<void>;
}
