import { randomBytes } from "node:crypto";
import { dirname, join } from "node:path";
import type { RandomAccess } from "@box/io";
import {
  acquireLockIfFree,
  createFileDurably,
  ensureDirectory,
  errnoOf,
  type FileSystem,
  type Lock,
  nodeFileSystem,
  openFile,
  removeDeadTemporaries,
  syncDirectory,
  toIoError,
  writeFileDurably,
} from "@box/io/node";
import { type ResolvedRecipe, type RootfsRecipe, resolveRecipe } from "../build/recipe.ts";
import { RootfsError } from "../errors.ts";
import type { MergeLimits } from "../merge/limits.ts";
import { adoptedBaseKey } from "./adopted-base-key.ts";
import type { BaseEvent } from "./base-events.ts";
import { type BaseRecord, readBaseRecord, recordVersion } from "./base-record.ts";
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

/** Options of {@link BaseCache.ensure}. */
export interface EnsureBaseOptions {
  /** Where the image came from, for people; recorded. */
  readonly source?: string;
  /** Accept only this content, as when a base is restored for overlays that were made on it. */
  readonly expectedDigest?: string;
  /** Other limits than the usual ones. */
  readonly limits?: Partial<MergeLimits>;
  /**
   * Longest wait in milliseconds for another process that builds the base and gives no sign of life, as one that was stopped; 60
   * seconds unless given. One that lives is waited for, however long it takes.
   */
  readonly lockTimeoutMs?: number;
  /** Stops waiting or building; nothing half-made stays. */
  readonly signal?: AbortSignal;
  /** Told what happens, as it happens. */
  readonly onEvent?: (event: BaseEvent) => void;
}

/**
 * Base disks by key: each is built once, however many processes ask for it, and never changed afterwards.
 *
 * `KEY.ext4` (0444) holds the disk and `KEY.json` its record. The record is written last, so that a disk without one, or of
 * another size than recorded, is none: it is built again.
 */
export class BaseCache {
  readonly #directory: string;
  readonly #locksDirectory: string;
  readonly #quarantineDirectory: string;
  readonly #fs: FileSystem;

  constructor(options: BaseCacheOptions) {
    this.#directory = options.directory;
    this.#locksDirectory = options.locksDirectory;
    this.#quarantineDirectory =
      options.quarantineDirectory ?? join(options.directory, "quarantine");
    this.#fs = options.fs ?? nodeFileSystem;
  }

  /** Finds a base by its key; nothing when there is none that is whole. @throws IoError. */
  async find(key: string): Promise<BaseDisk | undefined> {
    const record = await readBaseRecord(this.#fs, this.#recordPath(key), key);
    if (record === undefined || !(await this.#isThere(record))) return undefined;
    return this.#diskOf(record);
  }

  /** Every base that is whole, by key. @throws IoError. */
  async list(): Promise<BaseDisk[]> {
    const bases: BaseDisk[] = [];
    for (const name of await this.#namesOfRecords()) {
      const found = await this.find(name.slice(0, -recordSuffix.length));
      if (found !== undefined) bases.push(found);
    }
    return bases;
  }

  /**
   * Gives the base of a recipe, and builds it when it is not there.
   *
   * A second caller, of this process or another, waits for the first and takes over when that one dies. A base that
   * was recorded before and is lost is built only to the content that was recorded.
   *
   * @throws RootfsError `ROOTFS_BASE_DIGEST_MISMATCH`, and what building throws; IoError, `IO_LOCK_HELD` among them.
   */
  async ensure(recipe: RootfsRecipe, options: EnsureBaseOptions = {}): Promise<BaseDisk> {
    return this.#findOrBuild(recipe, options, (key) => this.find(key));
  }

  /**
   * {@link BaseCache.ensure} for a base that may have been damaged: one that is there is read from end to end, and built
   * again, to the recorded content, unless it is as recorded. The damaged disk is kept in quarantine.
   */
  async restore(recipe: RootfsRecipe, options: EnsureBaseOptions = {}): Promise<BaseDisk> {
    return this.#findOrBuild(recipe, options, async (key) =>
      (await this.verify(key, options)) ? this.find(key) : undefined,
    );
  }

  async #findOrBuild(
    recipe: RootfsRecipe,
    options: EnsureBaseOptions,
    find: (key: string) => Promise<BaseDisk | undefined>,
  ): Promise<BaseDisk> {
    const resolved = resolveRecipe(recipe);
    const tell = teller(resolved.key, options);
    const take = async (): Promise<BaseDisk | undefined> => {
      const found = await find(resolved.key);
      if (found === undefined) return undefined;
      requireDigest(found, options.expectedDigest, found.digest);
      tell({ name: "base.cached", message: `base ${found.key} is in the cache` });
      return found;
    };
    const found = await take();
    if (found !== undefined) return found;
    await ensureDirectory(this.#directory, { fs: this.#fs });
    await ensureDirectory(this.#locksDirectory, { fs: this.#fs });
    await using _lock = await this.#lock(resolved.key, options, tell);
    // Without await the lock would be given back while the build still runs.
    return (await take()) ?? (await this.#build(resolved, options, tell));
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
    options: Pick<EnsureBaseOptions, "lockTimeoutMs" | "signal" | "onEvent"> = {},
  ): Promise<BaseDisk> {
    const key = adoptedBaseKey(base.digest);
    const tell = teller(key, options);
    const fs = this.#fs;
    await ensureDirectory(this.#directory, { fs });
    await ensureDirectory(this.#locksDirectory, { fs });
    await using _lock = await this.#lock(key, options, tell);
    const found = await this.find(key);
    if (found !== undefined) return found;
    using _shared = shareProgress(this.#progressPath(key));
    const { digest, sizeBytes, source } = base;
    const path = this.#diskPath(key);
    const checkedFill = async (file: RandomAccess): Promise<void> => {
      await fill(file);
      const written = await digestOf(file, await file.size(), options.signal);
      requireDigest({ key, path }, digest, written);
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
    await writeFileDurably(this.#recordPath(key), `${JSON.stringify(record, undefined, 2)}\n`, {
      fs,
    });
    tell({ name: "base.built", message: `took base ${key}: ${sizeBytes} bytes` });
    return this.#diskOf(record);
  }

  #lock(key: string, options: EnsureBaseOptions, tell: (event: Told) => void): Promise<Lock> {
    return lockBase(this.#lockPath(key), this.#progressPath(key), key, options, tell);
  }

  /**
   * Reads a base from end to end and compares it with its record.
   *
   * @returns Whether it is as recorded; nothing when there is no such base.
   * @throws IoError when it cannot be read.
   */
  async verify(
    key: string,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<boolean | undefined> {
    const disk = await this.find(key);
    if (disk === undefined) return undefined;
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
    const isRemoved = removeDisk(this.#diskPath(key), this.#recordPath(key), removeUnlessNeeded);
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
    const before = await readBaseRecord(fs, this.#recordPath(key), key);
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
      requireDigest({ key, path: this.#diskPath(key) }, expected, digest);
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
    const record = await createFileDurably(this.#diskPath(key), fill, {
      fs,
      mode: 0o444,
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
    await writeFileDurably(this.#recordPath(key), `${JSON.stringify(record, undefined, 2)}\n`, {
      fs,
    });
    tell({ name: "base.built", message: `built base ${key}: ${record.sizeBytes} bytes` });
    return this.#diskOf(record);
  }

  /** Gives what lies in the place of a recorded base a second name, under which it stays when it is replaced. */
  async #keepDamaged(key: string, tell: (event: Told) => void): Promise<void> {
    const fs = this.#fs;
    const path = this.#diskPath(key);
    const kept = join(this.#quarantineDirectory, `${key}-${randomBytes(8).toString("hex")}.ext4`);
    try {
      if (!(await fs.lstat(path)).isFile()) return;
      await ensureDirectory(this.#quarantineDirectory, { fs });
      await fs.link(path, kept);
      await fs.syncDirectory(dirname(kept));
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return;
      throw toIoError(error, { action: "cannot keep the damaged base disk", path });
    }
    const message = `the damaged base ${key} is kept as ${kept}`;
    tell({ name: "base.quarantined", level: "warning", message, path: kept });
  }

  async #namesOfRecords(): Promise<string[]> {
    try {
      const names = await this.#fs.readdir(this.#directory);
      return names.filter((name) => recordName.test(name)).sort();
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return [];
      throw toIoError(error, { action: "cannot list the base disks", path: this.#directory });
    }
  }

  async #isThere(record: BaseRecord): Promise<boolean> {
    const path = this.#diskPath(record.key);
    try {
      const facts = await this.#fs.lstat(path);
      return facts.isFile() && Number(facts.size) === record.sizeBytes;
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return false;
      throw toIoError(error, { action: "cannot look at the base disk", path });
    }
  }

  #diskOf({ key, sizeBytes, digest }: BaseRecord): BaseDisk {
    return { key, path: this.#diskPath(key), sizeBytes, digest };
  }

  #diskPath(key: string): string {
    return join(this.#directory, `${key}.ext4`);
  }

  #recordPath(key: string): string {
    return join(this.#directory, `${key}${recordSuffix}`);
  }

  #lockPath(key: string): string {
    return join(this.#locksDirectory, `base-${key}.lock`);
  }

  #progressPath(key: string): string {
    return join(this.#locksDirectory, `base-${key}.progress`);
  }
}

const recordSuffix = ".json";
const recordName = /^[0-9a-f]{64}\.json$/;

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
