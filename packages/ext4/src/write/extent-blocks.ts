import {
  sealExtentBlock,
  writeExtent,
  writeExtentHeader,
  writeExtentPointer,
} from "../format/extent-tree.ts";
import { inodeOffsets, inodeSeed } from "../format/inode.ts";
import { blockBytes } from "../format/numbers.ts";
import { type ExtentTable, extentsInInode, extentsPerBlock } from "../plan/extent-table.ts";
import type { BlockWriter } from "./block-writer.ts";

interface Pointer {
  readonly logical: number;
  readonly block: number;
}

/** Writes the blocks of every extent tree. */
export async function writeExtentBlocks(
  extents: ExtentTable,
  writer: BlockWriter,
  seed: number,
): Promise<void> {
  for (const [inode, blocks] of extents.treeBlocks) {
    for (const [block, bytes] of buildTree(extents, inode, blocks, inodeSeed(seed, inode))) {
      await writer.block(block, bytes);
    }
  }
}

/** Writes the root of an inode's extents into its block map. */
export function writeExtentRoot(
  view: DataView,
  inodeAt: number,
  extents: ExtentTable,
  inode: number,
): void {
  const at = inodeAt + inodeOffsets.block;
  const count = extents.count[inode] as number;
  const blocks = extents.treeBlocks.get(inode);
  if (blocks === undefined) {
    writeExtentHeader(view, at, { entries: count, max: extentsInInode, depth: 0 });
    writeExtents(view, at, extents, extents.start[inode] as number, count);
    return;
  }
  const levels = levelsOf(extents, inode, blocks);
  const top = levels.at(-1) as readonly Pointer[];
  writeExtentHeader(view, at, { entries: top.length, max: extentsInInode, depth: levels.length });
  for (const [i, pointer] of top.entries()) writeExtentPointer(view, at, i, pointer);
}

function* buildTree(
  extents: ExtentTable,
  inode: number,
  blocks: readonly number[],
  seed: number,
): Generator<[block: number, bytes: Uint8Array]> {
  const bytes = new Uint8Array(blockBytes);
  const view = new DataView(bytes.buffer);
  const levels = levelsOf(extents, inode, blocks);
  const count = extents.count[inode] as number;
  for (const [depth, pointers] of levels.entries()) {
    const below = levels[depth - 1];
    const total = below?.length ?? count;
    for (const [i, { block }] of pointers.entries()) {
      bytes.fill(0);
      const first = i * extentsPerBlock;
      const entries = Math.min(extentsPerBlock, total - first);
      writeExtentHeader(view, 0, { entries, max: extentsPerBlock, depth });
      if (below === undefined) {
        writeExtents(view, 0, extents, (extents.start[inode] as number) + first, entries);
      } else {
        for (let j = 0; j < entries; j++) {
          writeExtentPointer(view, 0, j, below[first + j] as Pointer);
        }
      }
      sealExtentBlock(bytes, seed);
      yield [block, bytes];
    }
  }
}

/** The pointers to each level's blocks, leaves first. The last level's stand in the inode. */
function levelsOf(extents: ExtentTable, inode: number, blocks: readonly number[]): Pointer[][] {
  const start = extents.start[inode] as number;
  const levels: Pointer[][] = [];
  let below = Array.from({ length: extents.count[inode] as number }, (_, i) => {
    return extents.logical[start + i] as number;
  });
  for (let used = 0; below.length > extentsInInode; ) {
    const level: Pointer[] = [];
    for (let i = 0; i < below.length; i += extentsPerBlock) {
      level.push({ logical: below[i] as number, block: blocks[used++] as number });
    }
    levels.push(level);
    below = level.map(({ logical }) => logical);
  }
  return levels;
}

function writeExtents(
  view: DataView,
  at: number,
  extents: ExtentTable,
  start: number,
  count: number,
): void {
  for (let i = 0; i < count; i++) {
    writeExtent(view, at, i, {
      logical: extents.logical[start + i] as number,
      physical: extents.physical[start + i] as number,
      length: extents.length[start + i] as number,
    });
  }
}
