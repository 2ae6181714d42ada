import { inodeOffsets, inodeSeed, sealInode, writeInodeFields } from "../format/inode.ts";
import {
  blockBytes,
  inodeBytes,
  inodeFlags,
  inodes,
  inodesPerBlock,
  maxInlineTargetBytes,
  maxLinks,
} from "../format/numbers.ts";
import type { PlanParts } from "../plan/ext4-plan.ts";
import { backupGroups } from "../plan/geometry.ts";
import type { ValueInode } from "../plan/inventory.ts";
import { typeBits } from "../tree/attributes.ts";
import { none } from "../tree/column.ts";
import type { BlockWriter } from "./block-writer.ts";
import { writeExtentRoot } from "./extent-blocks.ts";
import { valueHash, writeInodeXattrs } from "./xattr-blocks.ts";

const privateFile: number = typeBits.file | 0o600;
/** The size that tools expect of the resize inode: all that a block map reaches through two levels. */
const resizeInodeSize: number = (1024 * 1024 + 1024 + 12) * blockBytes;
const doubleIndirectAt = 13 * 4;

/** Makes the inodes of a plan and writes the tables as far as inodes are in use. */
export class InodeTable {
  readonly #parts: PlanParts;
  readonly #seed: number;
  readonly #bytes: Uint8Array = new Uint8Array(blockBytes);
  readonly #view: DataView = new DataView(this.#bytes.buffer);
  readonly #values: ReadonlyMap<number, ValueInode>;

  constructor(parts: PlanParts, seed: number) {
    this.#parts = parts;
    this.#seed = seed;
    this.#values = new Map(parts.inventory.valueInodes.map((value) => [value.inode, value]));
  }

  /** Writes all tables. */
  async write(writer: BlockWriter): Promise<void> {
    const { geometry } = this.#parts.fit;
    const { lastInode } = this.#parts.inventory;
    for (let first = 1; first <= lastInode; first += inodesPerBlock) {
      this.#bytes.fill(0);
      const last = Math.min(first + inodesPerBlock - 1, lastInode);
      for (let inode = first; inode <= last; inode++) {
        this.#build(inode, (inode - first) * inodeBytes);
      }
      const group = Math.floor((first - 1) / geometry.inodesPerGroup);
      const index = ((first - 1) % geometry.inodesPerGroup) / inodesPerBlock;
      await writer.block((geometry.inodeTable[group] as number) + index, this.#bytes);
    }
  }

  /** The journal's inode as the superblock repeats it: its block map and its size. */
  journalBackup(): { readonly map: Uint8Array; readonly sizeBytes: number } {
    const bytes = new Uint8Array(inodeBytes);
    writeExtentRoot(new DataView(bytes.buffer), 0, this.#parts.extents, inodes.journal);
    const map = bytes.subarray(inodeOffsets.block, inodeOffsets.block + 60);
    return { map, sizeBytes: this.#parts.fit.journalBlocks * blockBytes };
  }

  #build(inode: number, at: number): void {
    const node = this.#parts.inventory.nodeOf[inode] as number;
    const value = this.#values.get(inode);
    if (node !== none) this.#buildNode(inode, node, at);
    else if (value !== undefined) this.#buildValue(value, at);
    else if (inode === inodes.lostAndFound) this.#buildLostAndFound(at);
    else if (inode === inodes.journal && this.#parts.fit.journalBlocks > 0) this.#buildJournal(at);
    else if (inode === inodes.resize && this.#parts.resizeBlock > 0) this.#buildResize(at);
    else return;
    sealInode(this.#bytes, this.#view, at, inodeSeed(this.#seed, inode));
  }

  #buildNode(inode: number, node: number, at: number): void {
    const { store, inventory, extents } = this.#parts;
    const mode = store.mode[node] as number;
    const type = mode & 0xf000;
    const hasExtents = this.#hasExtents(type, node);
    const xattrBlock = extents.xattrBlock[inode] as number;
    const isIndexed = inventory.largeDirectories.get(inode)?.isIndexed === true;
    writeInodeFields(this.#view, at, {
      mode,
      uid: store.uid[node] as number,
      gid: store.gid[node] as number,
      size: this.#sizeOf(inode, node, type),
      links:
        type === typeBits.directory ? this.#directoryLinks(inode) : (store.links[node] as number),
      blocks: extents.blocksOf(inode) + (xattrBlock > 0 ? 1 : 0) + this.#valueBlocks(node),
      flags: (hasExtents ? inodeFlags.extents : 0) | (isIndexed ? inodeFlags.index : 0),
      xattrBlock,
      seconds: store.seconds[node] as number,
      nanoseconds: store.nanoseconds[node] as number,
    });
    if (hasExtents) writeExtentRoot(this.#view, at, extents, inode);
    else this.#writeInlineBlock(type, node, at + inodeOffsets.block);
    const set = store.xattrSet[node] as number;
    if (set === 0) return;
    const values = (inventory.valueInodesOf.get(set) ?? [])[Symbol.iterator]();
    const next = (): ValueInode => values.next().value as ValueInode;
    const xattrs = inventory.xattrLayouts.get(set)?.inInode ?? [];
    writeInodeXattrs(this.#bytes, this.#view, at, xattrs, next, this.#seed);
  }

  /** An inode is charged for the values that it keeps in other inodes, each time anew. */
  #valueBlocks(node: number): number {
    const { store, inventory } = this.#parts;
    const values = inventory.valueInodesOf.get(store.xattrSet[node] as number) ?? [];
    return values.reduce((sum, { value }) => sum + Math.ceil(value.byteLength / blockBytes), 0);
  }

  #hasExtents(type: number, node: number): boolean {
    if (type === typeBits.symlink)
      return (this.#parts.store.b[node] as number) > maxInlineTargetBytes;
    return type === typeBits.file || type === typeBits.directory;
  }

  #sizeOf(inode: number, node: number, type: number): number {
    const { store, extents } = this.#parts;
    if (type === typeBits.file) return store.size[node] as number;
    if (type === typeBits.symlink) return store.b[node] as number;
    if (type !== typeBits.directory) return 0;
    const tree = extents.treeBlocks.get(inode)?.length ?? 0;
    return (extents.blocksOf(inode) - tree) * blockBytes;
  }

  /** A directory counts itself and its subdirectories' `..`, or says 1 when there are too many. */
  #directoryLinks(inode: number): number {
    const links = 2 + (this.#parts.inventory.subdirectories[inode] as number);
    return links > maxLinks ? 1 : links;
  }

  #writeInlineBlock(type: number, node: number, at: number): void {
    const { store } = this.#parts;
    const a = store.a[node] as number;
    const b = store.b[node] as number;
    if (type === typeBits.symlink) this.#bytes.set(store.arena.view(a, b), at);
    else if (type === typeBits.char || type === typeBits.block) {
      if (a < 256 && b < 256) this.#view.setUint32(at, a * 256 + b, true);
      else this.#view.setUint32(at + 4, (b & 0xff) + a * 256 + (b & ~0xff) * 2 ** 12, true);
    }
  }

  #buildValue({ inode, value, references }: ValueInode, at: number): void {
    const { extents } = this.#parts;
    this.#writeSpecial(at, {
      size: value.byteLength,
      blocks: extents.blocksOf(inode),
      flags: inodeFlags.extents | inodeFlags.eaInode,
    });
    writeExtentRoot(this.#view, at, extents, inode);
    // Such an inode keeps the value's hash and its count of references where others keep times.
    this.#view.setUint32(at + inodeOffsets.accessed, valueHash(value, this.#seed), true);
    this.#view.setUint32(at + inodeOffsets.changed, 0, true);
    this.#view.setUint32(at + inodeOffsets.version, references, true);
  }

  #buildLostAndFound(at: number): void {
    const { extents } = this.#parts;
    this.#writeSpecial(at, { size: blockBytes, blocks: 1, flags: inodeFlags.extents, links: 2 });
    this.#view.setUint16(at + inodeOffsets.mode, typeBits.directory | 0o700, true);
    writeExtentRoot(this.#view, at, extents, inodes.lostAndFound);
  }

  #buildJournal(at: number): void {
    const { extents, fit } = this.#parts;
    const size = fit.journalBlocks * blockBytes;
    const blocks = extents.blocksOf(inodes.journal);
    this.#writeSpecial(at, { size, blocks, flags: inodeFlags.extents });
    writeExtentRoot(this.#view, at, extents, inodes.journal);
  }

  #buildResize(at: number): void {
    const { geometry } = this.#parts.fit;
    const copies = 1 + backupGroups(geometry.groupCount).length;
    const blocks = 1 + geometry.reservedBlocks * copies;
    this.#writeSpecial(at, { size: resizeInodeSize, blocks, flags: 0 });
    const map = at + inodeOffsets.block;
    this.#view.setUint32(map + doubleIndirectAt, this.#parts.resizeBlock, true);
  }

  /** An inode of the file system's own: private to root, with the plan's time. */
  #writeSpecial(
    at: number,
    fields: {
      readonly size: number;
      readonly blocks: number;
      readonly flags: number;
      readonly links?: number;
    },
  ): void {
    writeInodeFields(this.#view, at, {
      mode: privateFile,
      uid: 0,
      gid: 0,
      links: 1,
      xattrBlock: 0,
      seconds: this.#parts.settings.epochSeconds,
      nanoseconds: 0,
      ...fields,
    });
  }
}
