import { join } from "node:path";
import type { RandomAccess } from "@box/io";
import {
  acquireLockIfFree,
  createFileDurably,
  ensureDirectory,
  type FileSystem,
  type Lock,
  nodeFileSystem,
  openFile,
  removeDeadTemporaries,
  syncDirectory,
} from "@box/io/node";
import { type ResolvedRecipe, type RootfsRecipe, resolveRecipe } from "../build/recipe.ts";
import { RootfsError } from "../errors.ts";
import type { MergeLimits } from "../merge/limits.ts";
import { adoptedBaseKey } from "./adopted-base-key.ts";
import type { BaseEvent } from "./base-events.ts";
import { BaseFiles } from "./base-files.ts";
import { type BaseRecord, recordVersion } from "./base-record.ts";
import { digestOf } from "./content-digest.ts";
import { lockBase } from "./lock-base.ts";
import { removeDisk } from "./remove-disk.ts";
import { shareProgress } from "./shared-progress.ts";
import { type Told, teller, toldProgress } from "./tell-base.ts";

/** Where a {@link BaseCache} lives. */
export interface BaseCacheOptions {
  /** Folder of the base disks; made when it is needed. */
  readonly directory: string;
  /** Folder of the lock files; made when it is needed. */
  readonly locksDirectory: string;
  /** Folder of damaged base disks, on the same file system; `quarantine` among the base disks unless given. */
  readonly quarantineDirectory?: string;
  /** The file system calls; the host's unless given. */
  readonly fs?: FileSystem;
}

/** A base disk in the cache: a read-only ext4 file system in a raw file. */
export interface BaseDisk {
  /** Names what it was built from. */
  readonly key: string;
  /** Where it is. */
  readonly path: string;
  /** Its size in bytes. */
  readonly sizeBytes: number;
  /** Digest of its whole content, `sha256:...`. */
  readonly digest: string;
}

/** Options of {@link BaseCache.findSound}. */
export interface FindSoundOptions {
  /**
   * Longest wait in milliseconds for another process that builds or verifies the base and gives no sign of life, as one that
   * was stopped; 60 seconds unless given. One that lives is waited for, however long it takes.
   */
  readonly lockTimeoutMs?: number;
  /** Stops waiting, verifying or building; nothing half-made stays. */
  readonly signal?: AbortSignal;
  /** Told what happens, as it happens. */
  readonly onEvent?: (event: BaseEvent) => void;
}

/** Options of {@link BaseCache.ensure}. */
export interface EnsureBaseOptions extends FindSoundOptions {
  /** Where the image came from, for people; recorded. */
  readonly source?: string;
  /** Accept only this content, as when a base is restored for overlays that were made on it. */
  readonly expectedDigest?: string;
  /** Other limits than the usual ones. */
  readonly limits?: Partial<MergeLimits>;
}

/**
 * Base disks by key: each is built once, however many processes ask for it, and never changed afterwards.
 *
 * `KEY.ext4` (0444) holds the disk and `KEY.json` its record. The record is written last, so that a disk without one, or of
 * another size than recorded, is none: it is built again. The record tells the file that was verified by a stamp: another one,
 * or one that was written to, is read before it is believed.
 */
export class BaseCache {
  readonly #directory: string;
  readonly #locksDirectory: string;
  readonly #files: BaseFiles;
  readonly #fs: FileSystem;

  constructor(options: BaseCacheOptions) {
    this.#directory = options.directory;
    this.#locksDirectory = options.locksDirectory;
    this.#fs = options.fs ?? nodeFileSystem;
    const { directory, quarantineDirectory = join(directory, "quarantine") } = options;
    this.#files = new BaseFiles(directory, quarantineDirectory, this.#fs);
  }

  /** Finds a base by its key, whatever its content is; nothing when there is none of its recorded size. @throws IoError. */
  async find(key: string): Promise<BaseDisk | undefined> {
    const found = await this.#files.look(key);
    return found && this.#diskOf(found.record);
  }

  /** Every base that is there, by key. @throws IoError. */
  async list(): Promise<BaseDisk[]> {
    const bases: BaseDisk[] = [];
    for (const { key } of await this.listRecorded()) {
      const found = await this.find(key);
      if (found !== undefined) bases.push(found);
    }
    return bases;
  }

  /** Every base that has a record, by key, whether its disk is there or was lost. @throws IoError. */
  async listRecorded(): Promise<BaseDisk[]> {
    const bases: BaseDisk[] = [];
    for (const key of await this.#files.keys()) {
      const record = await this.#files.readRecord(key);
      if (record !== undefined) bases.push(this.#diskOf(record));
    }
    return bases;
  }

  /**
   * {@link BaseCache.find} for a base that is as recorded. Its record has a stamp of the file that was verified: while that is
   * the same nothing is read. Otherwise, as when it was written to or comes from a backup, it is read from end to end
   * under its lock, and stamped anew when it is as recorded.
   *
   * @throws IoError, `IO_LOCK_HELD` among them.
   */
  async findSound(key: string, options: FindSoundOptions = {}): Promise<BaseDisk | undefined> {
    const found = await this.#files.look(key);
    if (found === undefined) return undefined;
    return found.isStamped ? this.#diskOf(found.record) : this.#readUnderLock(key, options);
  }

  /**
   * {@link BaseCache.findSound} by the path of a disk.
   *
   * @returns Whether it is as recorded; nothing for a file that is none of this cache's, or has no record of its size.
   */
  async isSound(path: string, options: FindSoundOptions = {}): Promise<boolean | undefined> {
    const key = await this.#files.keyOf(path);
    if (key === undefined) return undefined;
    if (await this.#files.isKnown(key)) return true;
    const found = await this.#files.look(key);
    if (found === undefined) return undefined;
    return found.isStamped || (await this.#readUnderLock(key, options)) !== undefined;
  }

  /**
   * Gives the base of a recipe, and builds it when it is not there.
   *
   * A second caller, of this process or another, waits for the first and takes over when that one dies. A base that
   * was recorded before and is lost is built only to the content that was recorded; so is one whose file is not the one that
   * was verified and turns out to be damaged. That one is kept in quarantine.
   *
   * @throws RootfsError `ROOTFS_BASE_DIGEST_MISMATCH`, and what building throws; IoError, `IO_LOCK_HELD` among them.
   */
  async ensure(recipe: RootfsRecipe, options: EnsureBaseOptions = {}): Promise<BaseDisk> {
    return this.#findOrBuild(recipe, options, false);
  }

  /**
   * {@link BaseCache.ensure} for a base that may have been damaged: one that is there is read from end to end, and built
   * again, to the recorded content, unless it is as recorded. The damaged disk is kept in quarantine.
   */
  async restore(recipe: RootfsRecipe, options: EnsureBaseOptions = {}): Promise<BaseDisk> {
    return this.#findOrBuild(recipe, options, true);
  }

  async #findOrBuild(
    recipe: RootfsRecipe,
    options: EnsureBaseOptions,
    readsAnyway: boolean,
  ): Promise<BaseDisk> {
    const resolved = resolveRecipe(recipe);
    const { key } = resolved;
    const tell = teller(key, options);
    const taken = (disk: BaseDisk): BaseDisk => {
      requireDigest(disk, options.expectedDigest, disk.digest);
      tell({ name: "base.cached", message: `base ${key} is in the cache` });
      return disk;
    };
    const found = readsAnyway ? undefined : await this.#files.look(key);
    if (found?.isStamped === true) return taken(this.#diskOf(found.record));
    await ensureDirectory(this.#directory, { fs: this.#fs });
    await ensureDirectory(this.#locksDirectory, { fs: this.#fs });
    await using _lock = await this.#lock(key, options, tell);
    const verified = await this.#verified(key, options, tell, readsAnyway);
    if (verified !== undefined) return taken(verified);
    // Without await the lock would be given back while the build still runs.
    return await this.#build(resolved, options, tell);
  }

  async #readUnderLock(key: string, options: FindSoundOptions): Promise<BaseDisk | undefined> {
    const tell = teller(key, options);
    await ensureDirectory(this.#locksDirectory, { fs: this.#fs });
    await using _lock = await this.#lock(key, options, tell);
    // Without await the lock would be given back while the disk is still read.
    return await this.#verified(key, options, tell);
  }

  /** A base that is as recorded; read from end to end unless its stamp says so. Under its lock. */
  async #verified(
    key: string,
    options: FindSoundOptions,
    tell: (event: Told) => void,
    readsAnyway = false,
  ): Promise<BaseDisk | undefined> {
    const found = await this.#files.look(key);
    if (found === undefined) return undefined;
    const { record, isStamped } = found;
    if (isStamped && !readsAnyway) return this.#diskOf(record);
    tell({ name: "base.verifying", message: `verifying base ${key}: ${record.sizeBytes} bytes` });
    using _shared = shareProgress(this.#progressPath(key));
    return (await this.#files.verify(record, options.signal)) ? this.#diskOf(record) : undefined;
  }

  /**
   * Takes a base that was made elsewhere. Its key is {@link adoptedBaseKey}, made from its content: who brings it is not
   * believed what it was built from.
   *
   * @param fill - Writes the content into a new file; only the right content is taken.
   * @throws RootfsError `ROOTFS_BASE_DIGEST_MISMATCH`; what `fill` throws; IoError.
   */
  async adopt(
    base: { readonly digest: string; readonly sizeBytes: number; readonly source: string },
    fill: (file: RandomAccess) => Promise<void>,
    options: FindSoundOptions = {},
  ): Promise<BaseDisk> {
    const key = adoptedBaseKey(base.digest);
    const tell = teller(key, options);
    const fs = this.#fs;
    await ensureDirectory(this.#directory, { fs });
    await ensureDirectory(this.#locksDirectory, { fs });
    await using _lock = await this.#lock(key, options, tell);
    const found = await this.#verified(key, options, tell);
    if (found !== undefined) return found;
    const before = await this.#files.readRecord(key);
    using _shared = shareProgress(this.#progressPath(key));
    const { digest, sizeBytes, source } = base;
    const path = this.#files.diskPath(key);
    const checkedFill = async (file: RandomAccess): Promise<void> => {
      await fill(file);
      const written = await digestOf(file, await file.size(), options.signal);
      requireDigest({ key, path }, digest, written);
      if (before !== undefined) await this.#keepDamaged(key, tell);
    };
    const { signal } = options;
    const mode = { fs, mode: 0o444, ...(signal === undefined ? {} : { signal }) };
    await createFileDurably(path, checkedFill, mode);
    const recipe = { adopted: true } as const;
    const record: BaseRecord = {
      formatVersion: recordVersion,
      key,
      sizeBytes,
      digest,
      source,
      recipe,
    };
    await this.#files.writeRecord(record);
    tell({ name: "base.built", message: `took base ${key}: ${sizeBytes} bytes` });
    return this.#diskOf(record);
  }

  #lock(key: string, options: EnsureBaseOptions, tell: (event: Told) => void): Promise<Lock> {
    return lockBase(this.#lockPath(key), this.#progressPath(key), key, options, tell);
  }

  /**
   * Reads a base from end to end and compares it with its record.
   *
   * @returns Whether it is there and as recorded; nothing when no record says that there should be one.
   * @throws IoError when it cannot be read.
   */
  async verify(
    key: string,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<boolean | undefined> {
    if ((await this.#files.readRecord(key)) === undefined) return undefined;
    const disk = await this.find(key);
    if (disk === undefined) return false;
    await using file = await openFile(disk.path, { fs: this.#fs });
    return (await digestOf(file, disk.sizeBytes, options.signal)) === disk.digest;
  }

  /**
   * Removes a base unless it is being built or is needed.
   *
   * @param removeUnlessNeeded - Decides and, in one step that nobody can come between, calls `remove`.
   * @returns Whether it was removed.
   * @throws IoError.
   */
  async remove(
    key: string,
    removeUnlessNeeded: (remove: () => void) => void = (remove) => remove(),
  ): Promise<boolean> {
    await ensureDirectory(this.#locksDirectory, { fs: this.#fs });
    const lock = await acquireLockIfFree(this.#lockPath(key), { command: `removing base ${key}` });
    if (lock === undefined) return false;
    await using _lock = lock;
    const isRemoved = removeDisk(
      this.#files.diskPath(key),
      this.#files.recordPath(key),
      removeUnlessNeeded,
    );
    if (isRemoved) await syncDirectory(this.#directory, { fs: this.#fs });
    return isRemoved;
  }

  async #build(
    resolved: ResolvedRecipe,
    options: EnsureBaseOptions,
    tell: (event: Told) => void,
  ): Promise<BaseDisk> {
    const { key } = resolved;
    const fs = this.#fs;
    // Loaded when it is needed: most boxes are made on a base that is there.
    const { buildResolved } = await import("../build/build-rootfs.ts");
    await removeDeadTemporaries(this.#directory, { fs });
    const before = await this.#files.readRecord(key);
    const expected = options.expectedDigest ?? before?.digest;
    tell({ name: "base.building", message: `building base ${key}` });
    using shared = shareProgress(this.#progressPath(key));
    const fill = async (file: RandomAccess): Promise<BaseRecord> => {
      const { sizeBytes } = await buildResolved(resolved, file, {
        ...(options.limits === undefined ? {} : { limits: options.limits }),
        ...(options.signal === undefined ? {} : { signal: options.signal }),
        scratch: { directory: this.#directory, fs },
        onWarning: ({ code, message }) =>
          tell({ name: "base.warning", level: "warning", code, message }),
        onProgress: (progress) => {
          shared.set(progress);
          tell(toldProgress(progress));
        },
      });
      const digest = await digestOf(file, sizeBytes, options.signal);
      requireDigest({ key, path: this.#files.diskPath(key) }, expected, digest);
      if (before !== undefined) await this.#keepDamaged(key, tell);
      const { source = "" } = options;
      return {
        formatVersion: recordVersion,
        key,
        sizeBytes,
        digest,
        source,
        recipe: resolved.recorded,
      };
    };
    const record = await createFileDurably(this.#files.diskPath(key), fill, {
      fs,
      mode: 0o444,
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
    await this.#files.writeRecord(record);
    tell({ name: "base.built", message: `built base ${key}: ${record.sizeBytes} bytes` });
    return this.#diskOf(record);
  }

  async #keepDamaged(key: string, tell: (event: Told) => void): Promise<void> {
    const kept = await this.#files.keepDamaged(key);
    if (kept === undefined) return;
    const message = `the damaged base ${key} is kept as ${kept}`;
    tell({ name: "base.quarantined", level: "warning", message, path: kept });
  }

  #diskOf({ key, sizeBytes, digest }: BaseRecord): BaseDisk {
    return { key, path: this.#files.diskPath(key), sizeBytes, digest };
  }

  #lockPath(key: string): string {
    return join(this.#locksDirectory, `base-${key}.lock`);
  }

  #progressPath(key: string): string {
    return join(this.#locksDirectory, `base-${key}.progress`);
  }
}

function requireDigest(
  disk: { readonly key: string; readonly path: string },
  expected: string | undefined,
  found: string,
): void {
  if (expected === undefined || expected === found) return;
  throw new RootfsError({
    code: "ROOTFS_BASE_DIGEST_MISMATCH",
    message: `base disk ${disk.path} would have content ${found}, expected ${expected}`,
    details: { key: disk.key, path: disk.path, expected, found },
    hint: "overlays made on the recorded base would be damaged on this one; nothing was changed",
  });
}
