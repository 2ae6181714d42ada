import { maxExtentBlocks } from "../format/numbers.ts";
import { grown } from "../tree/column.ts";
import type { FreeSpace } from "./free-space.ts";

/** Extents in an inode itself, and in one block of an extent tree. */
export const extentsInInode = 4;
/** Extents, or pointers, in one block. */
export const extentsPerBlock = 340;

/** Where the content of every inode lies, as columns. */
export class ExtentTable {
  /** First block in the file. */
  logical: Uint32Array = new Uint32Array(64);
  /** First block in the image. */
  physical: Uint32Array = new Uint32Array(64);
  /** Blocks, at most 32,768. */
  length: Uint16Array = new Uint16Array(64);
  /** Each inode's first extent. */
  readonly start: Uint32Array;
  /** How many extents each inode has. */
  readonly count: Uint32Array;
  /** Each inode's attribute block, or 0. */
  readonly xattrBlock: Uint32Array;
  /** The blocks of extent trees of inodes with more than four extents, leaves first, level by level. */
  readonly treeBlocks: Map<number, number[]> = new Map();
  #used = 0;
  #inode = 0;

  constructor(inodeSlots: number) {
    this.start = new Uint32Array(inodeSlots);
    this.count = new Uint32Array(inodeSlots);
    this.xattrBlock = new Uint32Array(inodeSlots);
  }

  /** Forgets everything, to try another geometry. */
  reset(): void {
    this.#used = 0;
    this.count.fill(0);
    this.treeBlocks.clear();
  }

  /** Starts an inode's content. */
  begin(inode: number): void {
    this.#inode = inode;
    this.start[inode] = this.#used;
  }

  /** Adds blocks of the file, taken from free space, to the inode begun last. */
  add(logical: number, blocks: number, space: FreeSpace): void {
    for (let done = 0; done < blocks; ) {
      const taken = Math.min(blocks - done, space.contiguous);
      this.#append(logical + done, space.take(taken), taken);
      done += taken;
    }
  }

  /** Ends an inode's content and places the blocks of its extent tree behind it. */
  end(space: FreeSpace): void {
    const count = this.#used - (this.start[this.#inode] as number);
    this.count[this.#inode] = count;
    const blocks = extentTreeBlocks(count);
    if (blocks === 0) return;
    this.treeBlocks.set(
      this.#inode,
      Array.from({ length: blocks }, () => space.take(1)),
    );
  }

  /** All blocks of an inode's content and of its extent tree. */
  blocksOf(inode: number): number {
    const first = this.start[inode] as number;
    let blocks = this.treeBlocks.get(inode)?.length ?? 0;
    for (let i = first; i < first + (this.count[inode] as number); i++) {
      blocks += this.length[i] as number;
    }
    return blocks;
  }

  #append(logical: number, physical: number, blocks: number): void {
    for (let done = 0; done < blocks; ) {
      const room = this.#roomInLast(logical + done, physical + done);
      const taken = Math.min(blocks - done, room === 0 ? maxExtentBlocks : room);
      if (room === 0) {
        if (this.#used === this.logical.length) this.#grow();
        this.logical[this.#used] = logical + done;
        this.physical[this.#used] = physical + done;
        this.length[this.#used++] = taken;
      } else {
        this.length[this.#used - 1] = (this.length[this.#used - 1] as number) + taken;
      }
      done += taken;
    }
  }

  /** How many blocks the last extent can still take, when these would continue it. */
  #roomInLast(logical: number, physical: number): number {
    const last = this.#used - 1;
    if (last < (this.start[this.#inode] as number)) return 0;
    const length = this.length[last] as number;
    const continues =
      (this.logical[last] as number) + length === logical &&
      (this.physical[last] as number) + length === physical;
    return continues ? maxExtentBlocks - length : 0;
  }

  #grow(): void {
    const capacity = this.logical.length * 2;
    this.logical = grown(this.logical, capacity);
    this.physical = grown(this.physical, capacity);
    this.length = grown(this.length, capacity);
  }
}

/** Blocks of an extent tree over so many extents; 0 when they fit the inode. */
export function extentTreeBlocks(extents: number): number {
  let blocks = 0;
  for (let level = extents; level > extentsInInode; ) {
    level = Math.ceil(level / extentsPerBlock);
    blocks += level;
  }
  return blocks;
}
