import {
  addressesPerBlock,
  blocksPerGroup,
  descriptorsPerBlock,
  groupsPerFlex,
  inodesPerBlock,
  maxBlocks,
} from "../format/numbers.ts";

/** Where the tables of a file system lie. Everything is in blocks. */
export interface Geometry {
  /** Groups, the short last one included. */
  readonly groupCount: number;
  /** Inodes of each group. */
  readonly inodesPerGroup: number;
  /** Blocks of one inode table. */
  readonly inodeTableBlocks: number;
  /** Blocks of group descriptors, after each superblock. */
  readonly descriptorBlocks: number;
  /** Blocks kept free after them, for growth. */
  readonly reservedBlocks: number;
  /** Each group's block bitmap. */
  readonly blockBitmap: Uint32Array;
  /** Each group's inode bitmap. */
  readonly inodeBitmap: Uint32Array;
  /** Where each group's inode table starts. */
  readonly inodeTable: Uint32Array;
  /** Starts of the regions that tables take, in order, none touching the next. */
  readonly regionStarts: Float64Array;
  /** Their ends. */
  readonly regionEnds: Float64Array;
}

/** Every file system can grow to 1 TiB at least, and otherwise by this factor. */
const minGrowthBlocks = 2 ** 28;
const growthFactor = 16;

/** Whether a group holds a copy of the superblock: 0, 1 and the powers of 3, 5 and 7. */
export function hasSuperblock(group: number): boolean {
  if (group <= 1) return true;
  for (const base of [3, 5, 7]) {
    let power = base;
    while (power < group) power *= base;
    if (power === group) return true;
  }
  return false;
}

/** Blocks at the start of a group that the superblock's copy and what follows it take. */
export function superblockBlocks(group: number, geometry: Geometry): number {
  return hasSuperblock(group) ? 1 + geometry.descriptorBlocks + geometry.reservedBlocks : 0;
}

/** The groups other than 0 that hold copies, in order. */
export function backupGroups(groupCount: number): number[] {
  const groups: number[] = [];
  for (let group = 1; group < groupCount; group++) if (hasSuperblock(group)) groups.push(group);
  return groups;
}

/**
 * Lays out the tables of a file system of `groupCount` groups: the bitmaps and inode tables of 16 groups stand
 * together in the first of them, behind its superblock.
 */
export function computeGeometry(groupCount: number, inodesPerGroup: number): Geometry {
  const descriptorBlocks = Math.ceil(groupCount / descriptorsPerBlock);
  const reservedBlocks = reservedFor(groupCount, descriptorBlocks);
  const inodeTableBlocks = inodesPerGroup / inodesPerBlock;
  const copyBlocks = 1 + descriptorBlocks + reservedBlocks;
  const blockBitmap = new Uint32Array(groupCount);
  const inodeBitmap = new Uint32Array(groupCount);
  const inodeTable = new Uint32Array(groupCount);
  const copies = new RegionList();
  const tables = new RegionList();
  for (let group = 0; group < groupCount; group++) {
    const start = group * blocksPerGroup;
    if (hasSuperblock(group)) copies.add(start, copyBlocks);
  }
  for (let first = 0; first < groupCount; first += groupsPerFlex) {
    const end = Math.min(first + groupsPerFlex, groupCount);
    let cursor = first * blocksPerGroup;
    const place = (table: Uint32Array, blocks: number): void => {
      for (let group = first; group < end; group++) {
        cursor = skipSuperblocks(cursor, blocks, copyBlocks);
        table[group] = cursor;
        tables.add(cursor, blocks);
        cursor += blocks;
      }
    };
    place(blockBitmap, 1);
    place(inodeBitmap, 1);
    place(inodeTable, inodeTableBlocks);
  }
  return {
    groupCount,
    inodesPerGroup,
    inodeTableBlocks,
    descriptorBlocks,
    reservedBlocks,
    blockBitmap,
    inodeBitmap,
    inodeTable,
    ...merged(copies, tables),
  };
}

/** The first place at or after `cursor` where `blocks` lie clear of every copy of the superblock. */
function skipSuperblocks(cursor: number, blocks: number, copyBlocks: number): number {
  let at = cursor;
  let group = Math.floor(at / blocksPerGroup);
  while (group * blocksPerGroup < at + blocks) {
    const copyEnd = group * blocksPerGroup + copyBlocks;
    if (hasSuperblock(group) && at < copyEnd) at = copyEnd;
    group++;
  }
  return at;
}

function reservedFor(groupCount: number, descriptorBlocks: number): number {
  const wanted = Math.max(minGrowthBlocks, groupCount * blocksPerGroup * growthFactor);
  const groups = Math.ceil(Math.min(wanted, maxBlocks) / blocksPerGroup);
  const reserved = Math.ceil(groups / descriptorsPerBlock) - descriptorBlocks;
  return Math.max(0, Math.min(reserved, addressesPerBlock));
}

/** Regions in rising order, joined where they touch. */
class RegionList {
  readonly starts: number[] = [];
  readonly ends: number[] = [];

  add(start: number, blocks: number): void {
    if (this.ends.at(-1) === start) this.ends[this.ends.length - 1] = start + blocks;
    else {
      this.starts.push(start);
      this.ends.push(start + blocks);
    }
  }
}

/** Joins two lists that do not overlap. */
function merged(one: RegionList, other: RegionList): Pick<Geometry, "regionStarts" | "regionEnds"> {
  const both = new RegionList();
  let i = 0;
  let j = 0;
  while (i < one.starts.length || j < other.starts.length) {
    const a = one.starts[i] ?? Number.POSITIVE_INFINITY;
    const b = other.starts[j] ?? Number.POSITIVE_INFINITY;
    const end = a < b ? one.ends[i++] : other.ends[j++];
    both.add(Math.min(a, b), (end as number) - Math.min(a, b));
  }
  return {
    regionStarts: Float64Array.from(both.starts),
    regionEnds: Float64Array.from(both.ends),
  };
}
