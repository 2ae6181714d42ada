import { crc32c } from "../format/crc32c.ts";
import { extentBytes, extentMagic } from "../format/extent-tree.ts";
import { inodeFlags } from "../format/numbers.ts";
import type { InodeRecord } from "./inode-record.ts";
import { readError } from "./read-error.ts";
import type { Volume } from "./volume.ts";

/** Blocks of a file that follow one another, in the file and in the image. */
export interface BlockRun {
  /** The first one's place in the image; 0 for a hole and for blocks that were never written. */
  readonly physical: number;
  /** Where its blocks are when they were never written: they belong to the file all the same. */
  readonly reserved?: number;
  /** How many there are, at least 1. */
  readonly blocks: number;
}

const maxDepth = 5;
const longestExtent = 32_768;
const directBlocks = 12;
/** Block numbers within a file have 32 bits. */
const endOfFile: number = 2 ** 32;

/** Finds the blocks of a file from `logical` on; a run may end before what follows it does. */
export async function findRun(
  volume: Volume,
  inode: InodeRecord,
  logical: number,
): Promise<BlockRun> {
  if (logical >= endOfFile) return { physical: 0, blocks: Number.MAX_SAFE_INTEGER - logical };
  return (inode.flags & inodeFlags.extents) !== 0
    ? findExtent(volume, inode, logical)
    : findMapped(volume, inode, logical);
}

interface Node {
  readonly view: DataView;
  readonly entries: number;
  readonly depth: number;
}

/** Goes down the extent tree along `logical`. Every level must be one lower, so it ends. */
async function findExtent(volume: Volume, inode: InodeRecord, logical: number): Promise<BlockRun> {
  let node = parseNode(inode, inode.map, undefined);
  let bound = endOfFile;
  let floor = 0;
  while (node.depth > 0) {
    const index = lastAtOrBelow(inode, node, logical, floor, bound);
    if (index < 0) return { physical: 0, blocks: firstOf(node, bound) - logical };
    const at = extentBytes * (index + 1);
    floor = node.view.getUint32(at, true);
    bound = index + 1 < node.entries ? node.view.getUint32(at + extentBytes, true) : bound;
    const block = node.view.getUint32(at + 4, true) + node.view.getUint16(at + 8, true) * 2 ** 32;
    const bytes = await volume.block(block);
    validateNodeChecksum(inode, bytes, block);
    node = parseNode(inode, bytes, node.depth - 1);
  }
  const index = lastAtOrBelow(inode, node, logical, floor, bound);
  if (index < 0) return { physical: 0, blocks: firstOf(node, bound) - logical };
  const at = extentBytes * (index + 1);
  const start = node.view.getUint32(at, true);
  const rawLength = node.view.getUint16(at + 4, true);
  const isWritten = rawLength <= longestExtent;
  const end = start + (isWritten ? rawLength : rawLength - longestExtent);
  const next = index + 1 < node.entries ? node.view.getUint32(at + extentBytes, true) : bound;
  if (end > next || rawLength === 0)
    throw badExtents(inode, "has extents that overlap or are empty");
  if (logical >= end) return { physical: 0, blocks: next - logical };
  const physical = node.view.getUint32(at + 8, true) + node.view.getUint16(at + 6, true) * 2 ** 32;
  if (physical === 0) throw badExtents(inode, "has an extent at block 0");
  const place = physical + logical - start;
  const blocks = end - logical;
  return isWritten ? { physical: place, blocks } : { physical: 0, reserved: place, blocks };
}

function parseNode(inode: InodeRecord, bytes: Uint8Array, depth: number | undefined): Node {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const node: Node = {
    view,
    entries: view.getUint16(2, true),
    depth: view.getUint16(6, true),
  };
  const room = Math.floor(bytes.byteLength / extentBytes) - 1;
  const isSound =
    view.getUint16(0, true) === extentMagic &&
    node.entries <= view.getUint16(4, true) &&
    view.getUint16(4, true) <= room &&
    (depth === undefined ? node.depth <= maxDepth : node.depth === depth) &&
    (node.entries > 0 || (depth === undefined && node.depth === 0));
  if (!isSound) throw badExtents(inode, "has an extent tree whose nodes contradict themselves");
  return node;
}

/** The last entry that starts at or before `logical`, or -1. Entries must rise within the bounds from above. */
function lastAtOrBelow(
  inode: InodeRecord,
  node: Node,
  logical: number,
  floor: number,
  bound: number,
): number {
  let found = -1;
  let before = floor - 1;
  for (let i = 0; i < node.entries; i++) {
    const start = node.view.getUint32(extentBytes * (i + 1), true);
    if (start <= before || start >= bound) throw badExtents(inode, "has extents out of order");
    if (start <= logical) found = i;
    before = start;
  }
  return found;
}

function firstOf(node: Node, bound: number): number {
  return node.entries > 0 ? node.view.getUint32(extentBytes, true) : bound;
}

function validateNodeChecksum(inode: InodeRecord, bytes: Uint8Array, block: number): void {
  if (inode.checksumSeed === undefined) return;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const at = extentBytes * (view.getUint16(4, true) + 1);
  const isThere = at + 4 <= bytes.byteLength;
  if (isThere && crc32c(inode.checksumSeed, bytes, 0, at) === view.getUint32(at, true)) return;
  const message = `the checksum of an extent block of inode ${inode.number} is wrong`;
  throw readError("EXT4_BAD_CHECKSUM", message, { inode: inode.number, block });
}

/** Follows the older map: twelve blocks in the inode, then one, two and three levels of pointers. */
async function findMapped(volume: Volume, inode: InodeRecord, logical: number): Promise<BlockRun> {
  const perBlock = volume.info.blockBytes / 4;
  let index = logical;
  if (index < directBlocks) return mappedRun(inode.map, index, directBlocks);
  index -= directBlocks;
  for (let level = 1, reach = perBlock; level <= 3; level++, reach *= perBlock) {
    if (index >= reach) {
      index -= reach;
      continue;
    }
    let block = wordAt(inode.map, directBlocks - 1 + level);
    let below = reach;
    for (;;) {
      if (block === 0) return { physical: 0, blocks: below - (index % below) };
      const bytes = await volume.block(block);
      below /= perBlock;
      const slot = Math.floor(index / below) % perBlock;
      if (below === 1) return mappedRun(bytes, slot, perBlock);
      block = wordAt(bytes, slot);
    }
  }
  return { physical: 0, blocks: endOfFile - logical };
}

/** Pointers from `index` on that follow one another, or that are all missing. */
function mappedRun(bytes: Uint8Array, index: number, end: number): BlockRun {
  const physical = wordAt(bytes, index);
  let blocks = 1;
  while (index + blocks < end) {
    if (wordAt(bytes, index + blocks) !== (physical === 0 ? 0 : physical + blocks)) break;
    blocks++;
  }
  return { physical, blocks };
}

function wordAt(bytes: Uint8Array, index: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(index * 4, true);
}

function badExtents(inode: InodeRecord, what: string): Error {
  return readError("EXT4_BAD_EXTENTS", `inode ${inode.number} ${what}`, { inode: inode.number });
}
