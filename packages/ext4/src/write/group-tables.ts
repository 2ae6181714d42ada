import { crc32c } from "../format/crc32c.ts";
import { groupFlags, serializeGroupDescriptor } from "../format/group-descriptor.ts";
import { blockBytes, blocksPerGroup, descriptorBytes, inodes } from "../format/numbers.ts";
import type { PlanParts } from "../plan/ext4-plan.ts";
import { superblockBlocks } from "../plan/geometry.ts";
import type { BlockWriter } from "./block-writer.ts";

/** What the superblock sums up. */
export interface GroupTotals {
  /** All group descriptors, in whole blocks. */
  readonly descriptors: Uint8Array;
  /** Inodes that are free in all groups. */
  readonly freeInodes: number;
}

/** Writes the bitmaps of all groups and makes their descriptors. */
export async function writeGroupTables(
  parts: PlanParts,
  writer: BlockWriter,
  seed: number,
): Promise<GroupTotals> {
  const { geometry, blockCount } = parts.fit;
  const { groupCount, inodesPerGroup } = geometry;
  const descriptors = new Uint8Array(geometry.descriptorBlocks * blockBytes);
  const directories = countDirectories(parts);
  const bitmap = new Uint8Array(blockBytes);
  const used = new UsedBlocks(parts);
  const inodeBitmaps: [block: number, used: number][] = [];
  let freeInodes = 0;
  for (let group = 0; group < groupCount; group++) {
    const blocks = Math.min(blocksPerGroup, blockCount - group * blocksPerGroup);
    const isBlockUninit = group < groupCount - 1 && used.isOnlyCopy(group);
    const freeBlocks = blocks - used.fill(group, blocks, bitmap);
    let blockBitmapChecksum = 0;
    if (!isBlockUninit) {
      blockBitmapChecksum = crc32c(seed, bitmap);
      await writer.block(geometry.blockBitmap[group] as number, bitmap);
    }
    const usedInodes = usedInodesOf(parts, group);
    let inodeBitmapChecksum = 0;
    if (usedInodes > 0) {
      fillInodeBitmap(bitmap, usedInodes, inodesPerGroup);
      inodeBitmapChecksum = crc32c(seed, bitmap, 0, inodesPerGroup / 8);
      inodeBitmaps.push([geometry.inodeBitmap[group] as number, usedInodes]);
    }
    freeInodes += inodesPerGroup - usedInodes;
    const descriptor = {
      blockBitmap: geometry.blockBitmap[group] as number,
      inodeBitmap: geometry.inodeBitmap[group] as number,
      inodeTable: geometry.inodeTable[group] as number,
      freeBlocks,
      freeInodes: inodesPerGroup - usedInodes,
      directories: directories[group] as number,
      flags:
        groupFlags.inodeTableZeroed |
        (isBlockUninit ? groupFlags.blockUninit : 0) |
        (usedInodes === 0 ? groupFlags.inodeUninit : 0),
      unusedInodes: inodesPerGroup - usedInodes,
      blockBitmapChecksum,
      inodeBitmapChecksum,
    };
    descriptors.set(serializeGroupDescriptor(group, descriptor, seed), group * descriptorBytes);
  }
  for (const [block, usedInodes] of inodeBitmaps) {
    fillInodeBitmap(bitmap, usedInodes, inodesPerGroup);
    await writer.block(block, bitmap);
  }
  return { descriptors, freeInodes };
}

/** Inodes in use are those up to the last one, so each group's are a prefix of its table. */
function usedInodesOf({ inventory, fit }: PlanParts, group: number): number {
  const { inodesPerGroup } = fit.geometry;
  return Math.max(0, Math.min(inodesPerGroup, inventory.lastInode - group * inodesPerGroup));
}

function fillInodeBitmap(bitmap: Uint8Array, usedInodes: number, inodesPerGroup: number): void {
  bitmap.fill(0);
  setBits(bitmap, 0, usedInodes);
  setBits(bitmap, inodesPerGroup, blockBytes * 8);
}

function countDirectories({ inventory, fit, store }: PlanParts): Uint32Array {
  const { inodesPerGroup, groupCount } = fit.geometry;
  const counts = new Uint32Array(groupCount);
  for (let inode: number = inodes.root; inode <= inventory.lastInode; inode++) {
    const mode = store.mode[inventory.nodeOf[inode] as number] ?? 0;
    const isDirectory = (mode & 0xf000) === 0x4000 || inode === inodes.lostAndFound;
    const group = Math.floor((inode - 1) / inodesPerGroup);
    if (isDirectory) counts[group] = (counts[group] as number) + 1;
  }
  return counts;
}

/** Which blocks are taken: all before the plan's end, and all tables. */
class UsedBlocks {
  readonly #parts: PlanParts;
  #region = 0;

  constructor(parts: PlanParts) {
    this.#parts = parts;
  }

  /** Whether a group holds nothing but, possibly, a copy of the superblock. Groups in rising order. */
  isOnlyCopy(group: number): boolean {
    const { end, geometry } = this.#parts.fit;
    const start = group * blocksPerGroup;
    if (end > start || group === 0) return false;
    const expected = superblockBlocks(group, geometry);
    const taken = this.#taken(start, start + blocksPerGroup).reduce(
      (sum, [a, b]) => sum + b - a,
      0,
    );
    return taken === expected;
  }

  /** Fills a group's bitmap, padding included, and returns how many of its blocks are taken. */
  fill(group: number, blocks: number, bitmap: Uint8Array): number {
    const { end } = this.#parts.fit;
    const start = group * blocksPerGroup;
    const filled = Math.max(0, Math.min(end - start, blocks));
    bitmap.fill(0);
    setBits(bitmap, 0, filled);
    let taken = filled;
    for (const [from, to] of this.#taken(Math.max(start + filled, start), start + blocks)) {
      setBits(bitmap, from - start, to - start);
      taken += to - from;
    }
    setBits(bitmap, blocks, blocksPerGroup);
    return taken;
  }

  /** The parts of tables within a range; ranges in rising order. */
  #taken(start: number, end: number): [number, number][] {
    const { regionStarts, regionEnds } = this.#parts.fit.geometry;
    while ((regionEnds[this.#region] ?? Number.POSITIVE_INFINITY) <= start) this.#region++;
    const found: [number, number][] = [];
    for (let i = this.#region; (regionStarts[i] ?? end) < end; i++) {
      const from = Math.max(start, regionStarts[i] as number);
      const to = Math.min(end, regionEnds[i] as number);
      if (from < to) found.push([from, to]);
    }
    return found;
  }
}

function setBits(bitmap: Uint8Array, start: number, end: number): void {
  let at = start;
  for (; at < end && (at & 7) !== 0; at++)
    bitmap[at >> 3] = (bitmap[at >> 3] as number) | (1 << (at & 7));
  const whole = end >> 3;
  if (at < end) bitmap.fill(0xff, at >> 3, Math.max(at >> 3, whole));
  for (at = Math.max(at, whole * 8); at < end; at++) {
    bitmap[at >> 3] = (bitmap[at >> 3] as number) | (1 << (at & 7));
  }
}
