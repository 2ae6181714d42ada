import { randomBytes } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import {
  chmod,
  lchown,
  link,
  lstat,
  lutimes,
  mkdir,
  open,
  rename,
  rm,
  symlink,
  utimes,
} from "node:fs/promises";
import { errnoOf, toIoError } from "@box/io/node";
import type { FileEvent, FileRecord } from "@box/runtime";
import { CliError } from "../errors.ts";

/** What {@link writeHostFiles} takes. */
export interface WriteHostFilesOptions {
  /** Whether files get the owners that they have in the box: only root may give them away. */
  readonly keepsOwners: boolean;
  readonly limits: CopyLimits;
  readonly signal: AbortSignal;
}

/** How much may come out of a box. */
export interface CopyLimits {
  /** Files, folders and links; their names, which are kept, have 256 bytes each, some more and some fewer. */
  readonly maxEntries: number;
  /** Content of all files together. */
  readonly maxBytes: number;
}

/** A file that is being written, under a name that it has until it is whole. */
interface OpenFile {
  readonly record: FileRecord;
  readonly path: Buffer;
  readonly temporary: Buffer;
  readonly file: FileHandle;
}

const separator = Buffer.from("/");
/** Bits that give rights to who runs a file: what comes out of a box has none of them. */
const rights = 0o777;
/** Names of that many entries are kept, whatever their lengths; a mebibyte of them always. */
const bytesOfName = 256;
const leastNameBytes = 2 ** 20;

/**
 * Writes files that a box has sent, which is hostile, below a folder of this host: whatever it sends, nothing outside of the folder is
 * written. A file or a link appears whole under its name or not at all, in place of a file or link that is there.
 *
 * @throws CliError `CLI_COPY_REFUSED`, `CLI_COPY_LIMIT`; IoError; what `files` throws. What was written before stays.
 */
export async function writeHostFiles(
  folder: string,
  files: AsyncIterable<FileEvent>,
  options: WriteHostFilesOptions,
): Promise<void> {
  await using writer = new HostWriter(folder, options);
  for await (const event of files) {
    options.signal.throwIfAborted();
    if (event.type === "record") await writer.begin(event.record);
    else await writer.add(event.bytes);
  }
  await writer.finish();
}

class HostWriter implements AsyncDisposable {
  readonly #root: Buffer;
  readonly #options: WriteHostFilesOptions;
  /** Folders that this made, or saw to be folders and no links: only in them is written. */
  readonly #folders = new Map<string, FileRecord | undefined>([["", undefined]]);
  readonly #written = new Set<string>();
  /** Of those, files: a hard link may lead to one of them only. */
  readonly #files = new Set<string>();
  #open: OpenFile | undefined;
  #entries = 0;
  #nameBytes = 0;
  #bytes = 0;

  constructor(folder: string, options: WriteHostFilesOptions) {
    this.#root = Buffer.from(folder);
    this.#options = options;
  }

  async begin(record: FileRecord): Promise<void> {
    await this.#close();
    this.#entries += 1;
    this.#nameBytes += record.path.byteLength + record.linkTarget.byteLength;
    const { maxEntries, maxBytes } = this.#options.limits;
    const maxNameBytes = Math.max(leastNameBytes, maxEntries * bytesOfName);
    if (this.#entries > maxEntries) throw this.#overLimit("entries", maxEntries);
    if (this.#nameBytes > maxNameBytes) throw this.#overLimit("bytes of names", maxNameBytes);
    // What it says is more than is left: not one byte of it is written.
    if (this.#bytes + record.sizeBytes > maxBytes) throw this.#overLimit("bytes", maxBytes);
    const name = keyOf(record.path);
    const slash = name.lastIndexOf("/");
    const parent = slash < 0 ? "" : name.slice(0, slash);
    if (!this.#folders.has(parent)) throw refused(record, "its folder did not come before it");
    if (this.#written.has(name) || this.#folders.has(name)) {
      throw refused(record, "it was sent twice");
    }
    const path = Buffer.concat([this.#root, separator, record.path]);
    try {
      if (record.kind === "directory") await this.#makeFolder(record, name, path);
      else await this.#makeFile(record, name, path);
    } catch (error) {
      throw hostError(error, path);
    }
  }

  async add(bytes: Uint8Array): Promise<void> {
    this.#bytes += bytes.byteLength;
    const { maxBytes } = this.#options.limits;
    if (this.#bytes > maxBytes) throw this.#overLimit("bytes", maxBytes);
    const open = this.#open;
    if (open === undefined) return;
    try {
      await open.file.writeFile(bytes);
    } catch (error) {
      throw hostError(error, open.path);
    }
  }

  /** The last file, and modes and times of folders, which writing into them would have changed: the deepest first. */
  async finish(): Promise<void> {
    await this.#close();
    for (const [name, record] of [...this.#folders].reverse()) {
      if (record === undefined) continue;
      const path = Buffer.concat([this.#root, separator, Buffer.from(name, "latin1")]);
      try {
        await this.#own(path, record);
        await chmod(path, record.mode & rights);
        await utimes(path, secondsOf(record), secondsOf(record));
      } catch (error) {
        throw hostError(error, path);
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const open = this.#open;
    this.#open = undefined;
    if (open === undefined) return;
    await open.file.close().catch(() => {});
    await rm(open.temporary, { force: true }).catch(() => {});
  }

  async #makeFolder(record: FileRecord, name: string, path: Buffer): Promise<void> {
    try {
      await mkdir(path, 0o700);
      this.#folders.set(name, record);
    } catch (error) {
      if (errnoOf(error) !== "EEXIST") throw error;
      const found = await lstat(path);
      if (!found.isDirectory()) {
        throw refused(record, found.isSymbolicLink() ? "a link is there" : "a file is there");
      }
      // What was there stays as it is.
      this.#folders.set(name, undefined);
    }
  }

  async #makeFile(record: FileRecord, name: string, path: Buffer): Promise<void> {
    this.#written.add(name);
    const isFolder = await lstat(path).then(
      (found) => found.isDirectory(),
      () => false,
    );
    if (isFolder) throw refused(record, "a folder is there");
    const folder = path.subarray(0, path.lastIndexOf(separator) + 1);
    const temporary = Buffer.concat([
      folder,
      Buffer.from(`.box-${randomBytes(8).toString("hex")}`),
    ]);
    if (record.kind === "hardlink") return this.#link(record, temporary, path);
    if (record.kind === "file") {
      this.#files.add(name);
      const file = await open(temporary, "wx", 0o600);
      this.#open = { record, path, temporary, file };
      return;
    }
    await symlink(Buffer.from(record.linkTarget), temporary);
    await this.#publish(temporary, path, record);
  }

  /** Its owner, mode and times are those of the file, which has them already. */
  async #link(record: FileRecord, temporary: Buffer, path: Buffer): Promise<void> {
    if (!this.#files.has(keyOf(record.linkTarget)))
      throw refused(record, "it links to no file of the copy");
    await link(Buffer.concat([this.#root, separator, record.linkTarget]), temporary);
    await rename(temporary, path);
  }

  async #close(): Promise<void> {
    const open = this.#open;
    if (open === undefined) return;
    try {
      await open.file.chmod(open.record.mode & rights);
      await open.file.close();
      await this.#publish(open.temporary, open.path, open.record);
      this.#open = undefined;
    } catch (error) {
      throw hostError(error, open.path);
    }
  }

  async #publish(temporary: Buffer, path: Buffer, record: FileRecord): Promise<void> {
    try {
      await this.#own(temporary, record);
      await lutimes(temporary, secondsOf(record), secondsOf(record));
      await rename(temporary, path);
    } catch (error) {
      await rm(temporary, { force: true }).catch(() => {});
      throw error;
    }
  }

  async #own(path: Buffer, { uid, gid }: FileRecord): Promise<void> {
    if (this.#options.keepsOwners) await lchown(path, uid, gid);
  }

  #overLimit(what: "entries" | "bytes of names" | "bytes", limit: number): CliError {
    const { maxEntries, maxBytes } = this.#options.limits;
    const flag = what === "bytes" ? `copy-size=${maxBytes * 2}` : `copy-entries=${maxEntries * 2}`;
    return new CliError({
      code: "CLI_COPY_LIMIT",
      message: `the box sends more than ${limit} ${what}`,
      details: { limit, what },
      hint: `if it is to be so much: --limit ${flag}`,
    });
  }
}

/** A failure of the system's, with the path; any other as it is. */
function hostError(error: unknown, path: Buffer): unknown {
  if (errnoOf(error) === undefined) return error;
  return toIoError(error, { action: "cannot write", path: path.toString() });
}

function keyOf(path: Uint8Array): string {
  return Buffer.from(path).toString("latin1");
}

function secondsOf({ mtimeNs }: FileRecord): number {
  return Number(mtimeNs) / 1e9;
}

function refused({ path }: FileRecord, why: string): CliError {
  const name = JSON.stringify(Buffer.from(path).toString().slice(0, 200));
  return new CliError({
    code: "CLI_COPY_REFUSED",
    message: `what the box sends as ${name} is not written: ${why}`,
    details: { path: name, why },
    hint: "copy into an empty folder; a box that sends this for one is not to be trusted",
  });
}
