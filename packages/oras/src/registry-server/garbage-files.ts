import {
  errnoOf,
  type FileSystem,
  nodeFileSystem,
  removeDeadTemporaries,
  toIoError,
} from "@box/io/node";

/** What a collection of garbage wants to know about a file. */
export interface GarbageFacts {
  /** Its size in bytes. */
  readonly size: number;
  /** When it was written or asked for last, in milliseconds since the epoch. */
  readonly changedMs: number;
}

/** The files that a collection of garbage looks at and removes; in a dry run it removes none. */
export class GarbageFiles {
  readonly #fs: FileSystem;
  readonly #dryRun: boolean;

  constructor(fs: FileSystem = nodeFileSystem, dryRun = false) {
    this.#fs = fs;
    this.#dryRun = dryRun;
  }

  /** The names in a folder; none where there is no folder. */
  async list(folder: string): Promise<readonly string[]> {
    const found = this.#fs.readdir(folder);
    return (await unlessAbsent(found, "cannot list", folder)) ?? [];
  }

  /** A file's facts; nothing where there is none. */
  async facts(path: string): Promise<GarbageFacts | undefined> {
    const facts = await unlessAbsent(this.#fs.stat(path), "cannot look at", path);
    if (facts === undefined || !facts.isFile()) return undefined;
    return { size: Number(facts.size), changedMs: Number(facts.mtimeMs) };
  }

  /** Removes a file; {@link GarbageFiles.sync} makes it last. */
  async remove(path: string): Promise<void> {
    if (this.#dryRun) return;
    await unlessAbsent(this.#fs.unlink(path), "cannot remove", path);
  }

  /** Brings what was removed from a folder to stable storage. */
  async sync(folder: string): Promise<void> {
    if (this.#dryRun) return;
    await unlessAbsent(this.#fs.syncDirectory(folder), "cannot sync the folder", folder);
  }

  /** Removes what dead processes were writing in a folder. */
  async removeTemporaries(folder: string): Promise<void> {
    await removeDeadTemporaries(folder, { fs: this.#fs, dryRun: this.#dryRun });
  }
}

async function unlessAbsent<T>(
  work: Promise<T>,
  action: string,
  path: string,
): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === "ENOENT" || errno === "ENOTDIR") return undefined;
    throw toIoError(error, { action, path });
  }
}
