import { randomBytes } from "node:crypto";
import { basename, dirname, join } from "node:path";
import {
  ensureDirectory,
  errnoOf,
  type FileFacts,
  type FileSystem,
  openFile,
  toIoError,
  writeFileDurably,
} from "@box/io/node";
import { type BaseRecord, readBaseRecord } from "./base-record.ts";
import { type BaseStamp, isSameStamp, stampOf } from "./base-stamp.ts";
import { digestOf } from "./content-digest.ts";

/** A base whose file is there, of its recorded size. */
export interface FoundBase {
  /** Its record. */
  readonly record: BaseRecord;
  /** Whether its file is the one that was verified when its record was written. */
  readonly isStamped: boolean;
}

/** The files of a folder of bases: `KEY.ext4`, and `KEY.json` with the record. */
export class BaseFiles {
  readonly #directory: string;
  readonly #quarantineDirectory: string;
  readonly #fs: FileSystem;
  /** Stamps of files that this process knows to be as recorded. */
  readonly #known = new Map<string, BaseStamp>();
  #canonical: string | undefined;

  constructor(directory: string, quarantineDirectory: string, fs: FileSystem) {
    this.#directory = directory;
    this.#quarantineDirectory = quarantineDirectory;
    this.#fs = fs;
  }

  /** Where the disk of a key is. */
  diskPath(key: string): string {
    return join(this.#directory, `${key}.ext4`);
  }

  /** Where the record of a key is. */
  recordPath(key: string): string {
    return join(this.#directory, `${key}${recordSuffix}`);
  }

  /** Every key that has a record, sorted. @throws IoError. */
  async keys(): Promise<string[]> {
    try {
      const names = await this.#fs.readdir(this.#directory);
      const records = names.filter((name) => recordName.test(name)).sort();
      return records.map((name) => name.slice(0, -recordSuffix.length));
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return [];
      throw toIoError(error, { action: "cannot list the base disks", path: this.#directory });
    }
  }

  /** The key of a disk by its path, canonical or not; nothing when it lies elsewhere. @throws IoError. */
  async keyOf(path: string): Promise<string | undefined> {
    const key = diskName.exec(basename(path))?.[1];
    const folder = dirname(path);
    if (key === undefined || folder === this.#directory) return key;
    return folder === (await this.#canonicalFolder()) ? key : undefined;
  }

  /** Whether the disk is one that this process has found to be as recorded. @throws IoError. */
  async isKnown(key: string): Promise<boolean> {
    const known = this.#known.get(key);
    if (known === undefined) return false;
    const facts = await this.#factsOf(key);
    return facts !== undefined && isSameStamp(known, stampOf(facts));
  }

  /** Looks for a base without reading its disk; nothing when there is no record, or no file of its size. @throws IoError. */
  async look(key: string): Promise<FoundBase | undefined> {
    const record = await this.readRecord(key);
    if (record === undefined) return undefined;
    const facts = await this.#factsOf(key);
    if (facts === undefined || Number(facts.size) !== record.sizeBytes) return undefined;
    const stamp = stampOf(facts);
    const isStamped = isSameStamp(record.stamp, stamp);
    if (isStamped) this.#known.set(key, stamp);
    return { record, isStamped };
  }

  /** Reads the record of a key. @throws IoError. */
  readRecord(key: string): Promise<BaseRecord | undefined> {
    return readBaseRecord(this.#fs, this.recordPath(key), key);
  }

  /** Writes the record of a disk that is there and known to be as recorded, with the stamp of its file. @throws IoError. */
  async writeRecord(record: BaseRecord): Promise<void> {
    const facts = await this.#factsOf(record.key);
    const stamped = facts === undefined ? record : { ...record, stamp: stampOf(facts) };
    await this.#write(stamped);
  }

  /**
   * Reads a disk from end to end, and stamps it anew where it is as recorded. Call it under the lock of the key.
   *
   * @returns Whether it is as recorded.
   * @throws IoError when it cannot be read.
   */
  async verify(record: BaseRecord, signal?: AbortSignal): Promise<boolean> {
    const { key, sizeBytes, digest } = record;
    // From before the reading: what changes meanwhile has another stamp.
    const facts = await this.#factsOf(key);
    await using file = await openFile(this.diskPath(key), { fs: this.#fs });
    if (facts === undefined || (await digestOf(file, sizeBytes, signal)) !== digest) return false;
    const stamp = stampOf(facts);
    this.#known.set(key, stamp);
    if (isSameStamp(record.stamp, stamp)) return true;
    // The disk is as recorded: one that cannot be stamped, as on a full file system, is read again the next time.
    await this.#write({ ...record, stamp }).catch(() => {});
    return true;
  }

  /**
   * Gives what lies in the place of a recorded base a second name, under which it stays when it is replaced.
   *
   * @returns That name; nothing when no file is there.
   */
  async keepDamaged(key: string): Promise<string | undefined> {
    const fs = this.#fs;
    const path = this.diskPath(key);
    const kept = join(this.#quarantineDirectory, `${key}-${randomBytes(8).toString("hex")}.ext4`);
    try {
      if (!(await fs.lstat(path)).isFile()) return undefined;
      await ensureDirectory(this.#quarantineDirectory, { fs });
      await fs.link(path, kept);
      await fs.syncDirectory(dirname(kept));
      return kept;
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return undefined;
      throw toIoError(error, { action: "cannot keep the damaged base disk", path });
    }
  }

  async #write(record: BaseRecord): Promise<void> {
    const text = `${JSON.stringify(record, undefined, 2)}\n`;
    await writeFileDurably(this.recordPath(record.key), text, { fs: this.#fs });
  }

  /** Facts of a disk; nothing when there is no file in its place. */
  async #factsOf(key: string): Promise<FileFacts | undefined> {
    const path = this.diskPath(key);
    try {
      const facts = await this.#fs.lstat(path);
      return facts.isFile() ? facts : undefined;
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return undefined;
      throw toIoError(error, { action: "cannot look at the base disk", path });
    }
  }

  async #canonicalFolder(): Promise<string | undefined> {
    try {
      this.#canonical ??= await this.#fs.realpath(this.#directory);
      return this.#canonical;
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return undefined;
      const path = this.#directory;
      throw toIoError(error, { action: "cannot look at the folder of bases", path });
    }
  }
}

const recordSuffix = ".json";
const recordName = /^[0-9a-f]{64}\.json$/;
const diskName = /^([0-9a-f]{64})\.ext4$/;
