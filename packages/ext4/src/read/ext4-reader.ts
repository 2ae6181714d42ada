import type { RandomAccess } from "@box/io";
import { inodeFlags, inodes } from "../format/numbers.ts";
import type { DataRun, NodeTime, NodeType, NodeXattr } from "../tree/attributes.ts";
import { ClaimedBlocks } from "./claimed-blocks.ts";
import { ContentReader } from "./content.ts";
import { type Ext4DirectoryEntry, readEntries } from "./directory-reader.ts";
import type { InodeRecord } from "./inode-record.ts";
import { readError } from "./read-error.ts";
import { Volume } from "./volume.ts";

/** How an image is read. */
export interface ReadExt4Options {
  /** Reads a file system that was not unmounted as it stands, without its journal. Default false. */
  readonly allowsDirty?: boolean;
  /** The most that {@link Ext4Reader.readFile} returns. Default 256 MiB. */
  readonly maxFileBytes?: number;
  /** The longest path that {@link Ext4Reader.walk} gives. Default 4,096, as in Linux. */
  readonly maxPathBytes?: number;
  /**
   * The most that extended attributes and symlinks' targets take which the reader gives out, all together: many inodes can
   * share them. No limit unless given; whoever keeps them all gives one.
   */
  readonly maxAttributeBytes?: number;
  /**
   * The most bytes of directories that {@link Ext4Reader.lookup} goes through for one path: symlinks can lead through a
   * large one ten thousands of times. Default 1 GiB.
   */
  readonly maxLookupBytes?: number;
}

/** What a file system says of itself. */
export interface Ext4Summary {
  /** Its size in bytes, which may be less than the image's. */
  readonly sizeBytes: number;
  /** Free space in bytes. */
  readonly freeBytes: number;
  /** Bytes of a block. */
  readonly blockBytes: number;
  /** Inodes in use, reserved ones included. */
  readonly usedInodes: number;
  /** Inodes in all. */
  readonly inodeCount: number;
  /** The volume's name as bytes. */
  readonly label: Uint8Array;
  /** 16 bytes. */
  readonly uuid: Uint8Array;
  /** The three words of features: compatible, incompatible, compatible for reading. */
  readonly features: readonly [compat: number, incompat: number, roCompat: number];
}

/** Everything that an inode is, besides its names. */
export interface Ext4Attributes {
  /** Its number. */
  readonly inode: number;
  /** What kind of file it is. Sockets appear in images made elsewhere. */
  readonly type: NodeType | "socket";
  /** The twelve permission bits. */
  readonly mode: number;
  /** The owner. */
  readonly uid: number;
  /** The group. */
  readonly gid: number;
  /** How many names it has; 1 for a directory of too many directories. */
  readonly links: number;
  /** Size in bytes. */
  readonly sizeBytes: number;
  /** When the content last changed. */
  readonly mtime: NodeTime;
  /** When the inode last changed. */
  readonly ctime: NodeTime;
  /** When the content was last read. */
  readonly atime: NodeTime;
  /** Extended attributes, sorted by name; POSIX ACLs as getxattr shows them. */
  readonly xattrs: readonly NodeXattr[];
  /** Where a symlink points. */
  readonly symlinkTarget?: Uint8Array;
  /** A device's major number. */
  readonly deviceMajor?: number;
  /** A device's minor number. */
  readonly deviceMinor?: number;
}

/** One step of {@link Ext4Reader.walk}. */
export interface Ext4WalkEntry extends Ext4DirectoryEntry {
  /** The path from the root, without a slash at its start. */
  readonly path: Uint8Array;
  /** What it is. */
  readonly attributes: Ext4Attributes;
}

const defaultLimits: Required<Omit<ReadExt4Options, "allowsDirty">> = {
  maxFileBytes: 256 * 2 ** 20,
  maxPathBytes: 4096,
  maxAttributeBytes: Number.POSITIVE_INFINITY,
  maxLookupBytes: 2 ** 30,
};
/** As in Linux, without the NUL. */
const maxTargetBytes = 4095;
const maxInlineTarget = 60;
const maxSymlinks = 40;
const slash = 0x2f;

/** Opens an ext4 image for reading. */
export async function readExt4(
  source: RandomAccess,
  options: ReadExt4Options = {},
): Promise<Ext4Reader> {
  const volume = await Volume.open(source, options.allowsDirty ?? false);
  return new Ext4Reader(volume, { ...defaultLimits, ...options });
}

/**
 * Reads an ext4 image, also one made by other tools: files mapped by extents or block by block, inline content, small
 * blocks. Nothing in the image is trusted: every number is checked, every checksum is compared where the file system has
 * them, and a failure of the source is never taken for a fault of the image.
 *
 * All methods throw {@link Ext4Error} of kind `corrupt` for an image that breaks the format, and what the source throws.
 */
export class Ext4Reader {
  readonly #volume: Volume;
  readonly #content: ContentReader;
  readonly #limits: typeof defaultLimits;
  #attributeBytes = 0;

  /** @internal */
  constructor(volume: Volume, limits: typeof defaultLimits) {
    this.#volume = volume;
    this.#content = new ContentReader(volume);
    this.#limits = limits;
  }

  /** The root directory's inode. */
  get root(): number {
    return inodes.root;
  }

  /** What the file system says of itself. */
  get summary(): Ext4Summary {
    const { info } = this.#volume;
    return {
      sizeBytes: info.blockCount * info.blockBytes,
      freeBytes: info.freeBlocks * info.blockBytes,
      blockBytes: info.blockBytes,
      usedInodes: info.inodeCount - info.freeInodes,
      inodeCount: info.inodeCount,
      label: info.label,
      uuid: info.uuid,
      features: info.features,
    };
  }

  /** Everything that an inode is. */
  async attributes(inode: number): Promise<Ext4Attributes> {
    const record = await this.#volume.inode(inode);
    const { number, type, mode, uid, gid, links, sizeBytes, mtime, ctime, atime } = record;
    const xattrs = await this.#content.xattrs.readAll(record);
    const symlinkTarget = type === "symlink" ? await this.#target(record) : undefined;
    this.#count(xattrs, symlinkTarget);
    return {
      ...{ inode: number, type, mode, uid, gid, links, sizeBytes, mtime, ctime, atime, xattrs },
      ...(symlinkTarget === undefined ? {} : { symlinkTarget }),
      ...(type === "char" || type === "block" ? deviceNumbers(record) : {}),
    };
  }

  /** A directory's names without `.` and `..`, in the order in which they are stored. */
  async *readdir(directory: number): AsyncGenerator<Ext4DirectoryEntry> {
    yield* this.#readdir(directory, new ClaimedBlocks());
  }

  /**
   * Finds what a path stands for, from the root. Symlinks are followed inside the image, the last one only when asked.
   *
   * @returns The inode, or nothing when a component is missing or no directory.
   * @throws {@link Ext4Error} `EXT4_SYMLINK_LOOP` after 40 symlinks; `EXT4_OVER_LIMIT` after too many directories.
   */
  async lookup(
    path: Uint8Array,
    options: { readonly followsLast?: boolean } = {},
  ): Promise<number | undefined> {
    const pending = componentsOf(path).reverse();
    const parents: number[] = [inodes.root];
    let symlinks = 0;
    let bytesLeft = this.#limits.maxLookupBytes;
    for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
      if (name.byteLength === 2 && name[0] === 0x2e && name[1] === 0x2e) {
        if (parents.length > 1) parents.pop();
        continue;
      }
      const directory = await this.#volume.inode(parents.at(-1) as number);
      if (directory.type !== "directory") return undefined;
      bytesLeft -= directory.sizeBytes;
      if (bytesLeft < 0) throw wayTooLong(this.#limits.maxLookupBytes);
      const found = await this.#find(directory, name);
      if (found === undefined) return undefined;
      const record = await this.#volume.inode(found);
      const isLast = pending.length === 0;
      if (record.type === "symlink" && (!isLast || options.followsLast === true)) {
        if (++symlinks > maxSymlinks) {
          throw readError(
            "EXT4_SYMLINK_LOOP",
            `a path leads through more than ${maxSymlinks} symlinks`,
          );
        }
        const target = await this.#target(record);
        if (target[0] === slash) parents.length = 1;
        pending.push(...componentsOf(target).reverse());
      } else {
        parents.push(found);
      }
    }
    return parents.at(-1);
  }

  /** A file's whole content. Throws `EXT4_OVER_LIMIT` for a large one, `EXT4_WRONG_TYPE`. */
  async readFile(file: number): Promise<Uint8Array> {
    return this.#content.whole(await this.#typed(file, "file"), this.#limits.maxFileBytes);
  }

  /** A file that can be read at any offset. */
  async openFile(file: number): Promise<RandomAccess> {
    return this.#content.open(await this.#typed(file, "file"));
  }

  /** The parts of a file that are not holes, in whole blocks but for the file's end. */
  async *dataRuns(file: number): AsyncGenerator<DataRun> {
    yield* this.#content.dataRuns(await this.#typed(file, "file"));
  }

  /**
   * Everything below a directory, each directory before what it holds. Depth costs no stack.
   *
   * @throws {@link Ext4Error} `EXT4_BAD_DIRECTORY` when a directory has two names or a block of another one, so a loop ends; `EXT4_OVER_LIMIT` when a
   * path is too long.
   */
  async *walk(directory: number = inodes.root): AsyncGenerator<Ext4WalkEntry> {
    const seen = new Set([directory]);
    const claimed = new ClaimedBlocks();
    // Every open directory is a beginning of the one path.
    const path = new Uint8Array(this.#limits.maxPathBytes);
    const open = [{ pathBytes: 0, entries: this.#readdir(directory, claimed) }];
    for (let top = open.at(-1); top !== undefined; top = open.at(-1)) {
      const next = await top.entries.next();
      if (next.done === true) {
        open.pop();
        continue;
      }
      const { name, inode } = next.value;
      const pathBytes = appendName(path, top.pathBytes, name);
      const attributes = await this.attributes(inode);
      yield { name, inode, path: path.slice(0, pathBytes), attributes };
      if (attributes.type !== "directory") continue;
      if (seen.has(inode)) {
        throw readError("EXT4_BAD_DIRECTORY", `directory ${inode} has two names`, { inode });
      }
      seen.add(inode);
      open.push({ pathBytes, entries: this.#readdir(inode, claimed) });
    }
  }

  async *#readdir(directory: number, claimed: ClaimedBlocks): AsyncGenerator<Ext4DirectoryEntry> {
    const record = await this.#typed(directory, "directory");
    yield* readEntries(this.#volume, this.#content, record, claimed);
  }

  async #find(directory: InodeRecord, name: Uint8Array): Promise<number | undefined> {
    for await (const entry of readEntries(this.#volume, this.#content, directory)) {
      if (areEqual(entry.name, name)) return entry.inode;
    }
    return undefined;
  }

  #count(xattrs: readonly NodeXattr[], target: Uint8Array | undefined): void {
    this.#attributeBytes += target?.byteLength ?? 0;
    for (const { name, value } of xattrs) {
      this.#attributeBytes += name.byteLength + value.byteLength;
    }
    const { maxAttributeBytes } = this.#limits;
    if (this.#attributeBytes <= maxAttributeBytes) return;
    const message = `extended attributes and symlinks' targets take more than ${maxAttributeBytes} bytes`;
    throw readError("EXT4_OVER_LIMIT", message);
  }

  async #target(record: InodeRecord): Promise<Uint8Array> {
    const isInInode =
      record.sizeBytes < maxInlineTarget &&
      (record.flags & (inodeFlags.extents | inodeFlags.inlineData)) === 0;
    if (isInInode) return record.map.slice(0, record.sizeBytes);
    return this.#content.whole(record, maxTargetBytes);
  }

  async #typed(inode: number, type: "file" | "directory"): Promise<InodeRecord> {
    const record = await this.#volume.inode(inode);
    if (record.type === type) {
      if ((record.flags & inodeFlags.encrypted) === 0) return record;
      throw readError("EXT4_UNSUPPORTED_FEATURE", `inode ${inode} is encrypted`, { inode });
    }
    const message = `inode ${inode} is a ${record.type}, not a ${type}`;
    throw readError("EXT4_WRONG_TYPE", message, { inode, type: record.type });
  }
}

function wayTooLong(maxBytes: number): Error {
  return readError(
    "EXT4_OVER_LIMIT",
    `a path leads through more than ${maxBytes} bytes of directories`,
  );
}

function deviceNumbers({ map }: InodeRecord): { deviceMajor: number; deviceMinor: number } {
  const view = new DataView(map.buffer, map.byteOffset, map.byteLength);
  const old = view.getUint32(0, true);
  const wide = view.getUint32(4, true);
  if (old !== 0) return { deviceMajor: (old >>> 8) & 0xff, deviceMinor: old & 0xff };
  return {
    deviceMajor: (wide >>> 8) & 0xfff,
    deviceMinor: (wide & 0xff) | ((wide >>> 12) & 0xfff00),
  };
}

function componentsOf(path: Uint8Array): Uint8Array[] {
  const components: Uint8Array[] = [];
  for (let at = 0; at < path.byteLength; ) {
    const next = path.indexOf(slash, at);
    const end = next < 0 ? path.byteLength : next;
    const name = path.subarray(at, end);
    const isNothing = name.byteLength === 0 || (name.byteLength === 1 && name[0] === 0x2e);
    if (!isNothing) components.push(name);
    at = end + 1;
  }
  return components;
}

/** Writes a name behind a directory's path of `pathBytes`, and returns how long the whole is. */
function appendName(path: Uint8Array, pathBytes: number, name: Uint8Array): number {
  const start = pathBytes === 0 ? 0 : pathBytes + 1;
  const end = start + name.byteLength;
  if (end > path.byteLength) {
    throw readError("EXT4_OVER_LIMIT", `a path has more than ${path.byteLength} bytes`);
  }
  if (start > 0) path[pathBytes] = slash;
  path.set(name, start);
  return end;
}

function areEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.byteLength === b.byteLength && a.every((byte, i) => byte === b[i]);
}
