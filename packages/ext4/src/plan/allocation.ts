import { blockBytes, inodes, maxBlocks, maxInlineTargetBytes } from "../format/numbers.ts";
import { typeBits } from "../tree/attributes.ts";
import { none } from "../tree/column.ts";
import type { TreeStore } from "../tree/tree-store.ts";
import { directoryBlocks, oneBlock } from "./directory-shape.ts";
import { ExtentTable } from "./extent-table.ts";
import { FreeSpace } from "./free-space.ts";
import type { Geometry } from "./geometry.ts";
import type { Inventory } from "./inventory.ts";

/** Places everything that an inventory holds, in one order that never changes. */
export class Allocation {
  readonly #store: TreeStore;
  readonly #inventory: Inventory;
  /** Where everything went, after {@link place}. */
  readonly extents: ExtentTable;
  /** The block that maps the resize inode, or 0. */
  resizeBlock = 0;

  constructor(store: TreeStore, inventory: Inventory) {
    this.#store = store;
    this.#inventory = inventory;
    this.extents = new ExtentTable(inventory.lastInode + 1);
  }

  /**
   * Fills a geometry: directories, long symlinks and attributes, then the journal, then files, each in the order of
   * inodes.
   *
   * @returns The first block that stays free; it may lie beyond the geometry's end.
   */
  place(geometry: Geometry, journalBlocks: number): number {
    const space = new FreeSpace(geometry);
    this.extents.reset();
    this.resizeBlock = geometry.reservedBlocks > 0 ? space.take(1) : 0;
    this.#placeMetadata(space);
    if (journalBlocks > 0) {
      this.extents.begin(inodes.journal);
      this.extents.add(0, journalBlocks, space);
      this.extents.end(space);
    }
    this.#placeFiles(space);
    return space.end;
  }

  /** Blocks of everything but tables, journal and extent trees: a lower bound of what has to be placed. */
  countBlocks(): number {
    let blocks = 0;
    const { lastInode, nodeOf, valueInodes } = this.#inventory;
    for (let inode: number = inodes.root; inode <= lastInode; inode++) {
      blocks += this.#metadataBlocks(inode);
      const node = nodeOf[inode] as number;
      if (this.#isFile(node)) this.#forEachRun(node, (_, length) => (blocks += length));
    }
    for (const { value } of valueInodes) blocks += Math.ceil(value.byteLength / blockBytes);
    return Math.min(blocks, maxBlocks + 1);
  }

  #placeMetadata(space: FreeSpace): void {
    const { lastInode, nodeOf, valueInodes } = this.#inventory;
    const { extents } = this;
    for (let inode: number = inodes.root; inode <= lastInode; inode++) {
      const hasBlock = this.#hasXattrBlock(nodeOf[inode] as number);
      const blocks = this.#metadataBlocks(inode) - (hasBlock ? 1 : 0);
      if (blocks > 0) {
        extents.begin(inode);
        extents.add(0, blocks, space);
        extents.end(space);
      }
      extents.xattrBlock[inode] = hasBlock ? space.take(1) : 0;
    }
    for (const { inode, value } of valueInodes) {
      extents.begin(inode);
      extents.add(0, Math.ceil(value.byteLength / blockBytes), space);
      extents.end(space);
    }
  }

  #placeFiles(space: FreeSpace): void {
    const { lastInode, nodeOf } = this.#inventory;
    for (let inode: number = inodes.firstFree; inode <= lastInode; inode++) {
      const node = nodeOf[inode] as number;
      if (!this.#isFile(node)) continue;
      this.extents.begin(inode);
      this.#forEachRun(node, (first, length) => this.extents.add(first, length, space));
      this.extents.end(space);
    }
  }

  /** Blocks of a directory or a long symlink, and of an attribute block. */
  #metadataBlocks(inode: number): number {
    const { nodeOf, largeDirectories } = this.#inventory;
    const node = nodeOf[inode] as number;
    if (node === none) return inode === inodes.lostAndFound ? 1 : 0;
    const type = (this.#store.mode[node] as number) & 0xf000;
    const xattrBlocks = this.#hasXattrBlock(node) ? 1 : 0;
    if (type === typeBits.directory) {
      return xattrBlocks + directoryBlocks(largeDirectories.get(inode) ?? oneBlock);
    }
    const isLong =
      type === typeBits.symlink && (this.#store.b[node] as number) > maxInlineTargetBytes;
    return xattrBlocks + (isLong ? 1 : 0);
  }

  #hasXattrBlock(node: number): boolean {
    const set = node === none ? 0 : (this.#store.xattrSet[node] as number);
    if (set === 0) return false;
    return (this.#inventory.xattrLayouts.get(set)?.inBlock.length ?? 0) > 0;
  }

  #isFile(node: number): boolean {
    return node !== none && ((this.#store.mode[node] as number) & 0xf000) === typeBits.file;
  }

  /** A file's ranges of data in whole blocks, joined where they meet. */
  #forEachRun(node: number, visit: (first: number, blocks: number) => void): void {
    const { a, b, runs, size } = this.#store;
    const count = b[node] as number;
    if (count === none) {
      visit(0, Math.ceil((size[node] as number) / blockBytes));
      return;
    }
    let first = 0;
    let end = 0;
    for (let i = (a[node] as number) * 2; i < ((a[node] as number) + count) * 2; i += 2) {
      const offset = runs[i] as number;
      const start = Math.floor(offset / blockBytes);
      if (start > end) {
        visit(first, end - first);
        first = start;
      }
      end = Math.ceil((offset + (runs[i + 1] as number)) / blockBytes);
    }
    visit(first, end - first);
  }
}
