import type { RandomAccess } from "@box/io";
import { groupDescriptorChecksum } from "../format/group-descriptor.ts";
import { superblockBytes } from "../format/superblock.ts";
import { hasSuperblock } from "../plan/geometry.ts";
import { type InodeRecord, parseInode } from "./inode-record.ts";
import { readError } from "./read-error.ts";
import { parseSuperblock, type SuperblockInfo } from "./superblock-info.ts";

const superblockAt = 1024;
const cachedBytes = 4 * 2 ** 20;

/** An image whose superblock is known: blocks and inodes by number, each checked. */
export class Volume {
  readonly #source: RandomAccess;
  /** What the superblock says. */
  readonly info: SuperblockInfo;
  /** Blocks read last, the oldest first. */
  readonly #cache: Map<number, Uint8Array> = new Map();
  readonly #maxCached: number;

  private constructor(source: RandomAccess, info: SuperblockInfo) {
    this.#source = source;
    this.info = info;
    this.#maxCached = Math.max(16, cachedBytes / info.blockBytes);
  }

  /** Reads the superblock. */
  static async open(source: RandomAccess, allowsDirty: boolean): Promise<Volume> {
    const bytes = await source.read(superblockAt, superblockBytes);
    return new Volume(source, parseSuperblock(bytes, allowsDirty));
  }

  /** Reads a block of tables. The bytes are shared: they must not be changed. */
  async block(block: number): Promise<Uint8Array> {
    const cached = this.#cache.get(block);
    if (cached !== undefined) {
      this.#cache.delete(block);
      this.#cache.set(block, cached);
      return cached;
    }
    const bytes = await this.content(block, 0, this.info.blockBytes);
    this.#cache.set(block, bytes);
    if (this.#cache.size > this.#maxCached) {
      this.#cache.delete(this.#cache.keys().next().value as number);
    }
    return bytes;
  }

  /** Reads `length` bytes from `offset` bytes into a block on, through as many blocks as it takes. */
  async content(block: number, offset: number, length: number): Promise<Uint8Array> {
    const { blockBytes, blockCount } = this.info;
    const last = block + Math.ceil((offset + length) / blockBytes);
    if (block <= 0 || last > blockCount) {
      const message = `block ${block} is not inside the file system of ${blockCount} blocks`;
      throw readError("EXT4_BAD_BLOCK", message, { block });
    }
    const at = block * blockBytes + offset;
    const bytes = await this.#source.read(at, length);
    if (bytes.byteLength < length) {
      throw readError("EXT4_TRUNCATED", `the image ends before byte ${at + length}`, {
        offset: at,
      });
    }
    return bytes;
  }

  /** Reads an inode. */
  async inode(number: number): Promise<InodeRecord> {
    const { info } = this;
    if (!Number.isSafeInteger(number) || number < 1 || number > info.inodeCount) {
      throw readError("EXT4_BAD_INODE", `there is no inode ${number}`, { inode: number });
    }
    const group = Math.floor((number - 1) / info.inodesPerGroup);
    const offset = ((number - 1) % info.inodesPerGroup) * info.inodeBytes;
    const table = this.wide(await this.descriptor(group), 0x08);
    const block = await this.block(table + Math.floor(offset / info.blockBytes));
    const start = offset % info.blockBytes;
    return parseInode(number, block.subarray(start, start + info.inodeBytes), info);
  }

  /** A group's descriptor, its checksum compared. Shared: it must not be changed. */
  async descriptor(group: number): Promise<DataView> {
    const { blockBytes, descriptorBytes, checksumSeed } = this.info;
    const perBlock = blockBytes / descriptorBytes;
    const block = await this.block(this.#descriptorBlock(Math.floor(group / perBlock), perBlock));
    const start = (group % perBlock) * descriptorBytes;
    const descriptor = block.subarray(start, start + descriptorBytes);
    const view = new DataView(descriptor.buffer, descriptor.byteOffset, descriptorBytes);
    if (checksumSeed !== undefined) {
      const checksum = groupDescriptorChecksum(group, descriptor, checksumSeed);
      if (checksum !== view.getUint16(0x1e, true)) {
        const message = `the checksum of the descriptor of group ${group} is wrong`;
        throw readError("EXT4_BAD_CHECKSUM", message, { group });
      }
    }
    return view;
  }

  /** Reads a number of a descriptor that has its upper half 0x20 bytes further on, when descriptors are that long. */
  wide(descriptor: DataView, at: number): number {
    const { descriptorBytes, features } = this.info;
    const is64 = (features[1] & 0x80) !== 0 && descriptorBytes >= 64;
    return (
      descriptor.getUint32(at, true) + (is64 ? descriptor.getUint32(at + 0x20, true) * 2 ** 32 : 0)
    );
  }

  /** Descriptors follow the first superblock, or stand in the first of the groups that they describe. */
  #descriptorBlock(index: number, perBlock: number): number {
    const { firstDataBlock, firstMetaGroup, blocksPerGroup, hasSparseCopies } = this.info;
    if (index < firstMetaGroup) return firstDataBlock + 1 + index;
    const group = index * perBlock;
    const isBehindCopy = !hasSparseCopies || hasSuperblock(group);
    return firstDataBlock + group * blocksPerGroup + (isBehindCopy ? 1 : 0);
  }
}
