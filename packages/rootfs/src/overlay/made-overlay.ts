import {
  type FileSystem,
  isLocked,
  nodeFileSystem,
  type ReadFileLocks,
  readFileLocks,
  removeFileDurably,
} from "@box/io/node";

/** An overlay that this run made, as it was when it was made. */
export interface MadeOverlay {
  /** Its path. */
  readonly path: string;
  /** Device and inode. */
  readonly identity: string;
  /** When it was last written, in nanoseconds. */
  readonly mtimeNs: bigint;
}

/** Options of {@link removeMadeOverlay}. */
export interface RemoveMadeOverlayOptions {
  /** The file system calls; the host's unless given. */
  readonly fs?: FileSystem;
  /** The kernel's list of file locks; /proc/locks unless given. */
  readonly readLocks?: ReadFileLocks;
}

/** Notes what a new overlay looks like; nothing when that cannot be told, and it is then never removed. */
export async function recordMade(fs: FileSystem, path: string): Promise<MadeOverlay | undefined> {
  try {
    const facts = await fs.lstat(path);
    return { path, identity: `${facts.dev}:${facts.ino}`, mtimeNs: facts.mtimeNs };
  } catch {
    return undefined;
  }
}

/**
 * Removes an overlay that this run made, after a later step of the start failed.
 *
 * It stays when it is another file by now, when anything wrote to it since, or when a process holds it: a VM may have
 * opened it, and its content is then somebody's data.
 *
 * @returns Whether it is gone.
 */
export async function removeMadeOverlay(
  made: MadeOverlay,
  options: RemoveMadeOverlayOptions = {},
): Promise<boolean> {
  const { fs = nodeFileSystem, readLocks = readFileLocks } = options;
  const found = await recordMade(fs, made.path);
  const isUntouched = found?.identity === made.identity && found.mtimeNs === made.mtimeNs;
  if (!isUntouched || isLocked(await readLocks(), made.identity)) return false;
  return removeFileDurably(made.path, { fs });
}
