import type { RandomAccess } from "@box/io";
import { crc32c } from "../format/crc32c.ts";
import { blockBytes, inodes } from "../format/numbers.ts";
import { type Ext4Plan, type PlanParts, partsOf } from "../plan/ext4-plan.ts";
import type { ValueInode } from "../plan/inventory.ts";
import { typeBits } from "../tree/attributes.ts";
import { none } from "../tree/column.ts";
import { BlockWriter } from "./block-writer.ts";
import { DirectoryBlocks } from "./directory-blocks.ts";
import { writeExtentBlocks } from "./extent-blocks.ts";
import { writeGroupTables } from "./group-tables.ts";
import { InodeTable } from "./inode-table.ts";
import { writeJournal, writeResizeBlocks } from "./special-blocks.ts";
import { writeSuperblocks } from "./superblocks.ts";
import { buildXattrBlock } from "./xattr-blocks.ts";

/** How a file system is written. */
export interface WriteExt4Options {
  /** Stops the writing between two blocks. */
  readonly signal?: AbortSignal;
}

/**
 * Writes everything of a planned file system but the content of files, which belongs at {@link Ext4Plan.extents} and
 * may be written before, after or meanwhile.
 *
 * Only blocks that are not zero are written, so the sink must read as zeros where nothing was written yet. Its size
 * becomes the plan's. The first superblock comes last: without it nothing takes the image for a file system.
 *
 * @throws Whatever the sink throws, as it is; the signal's reason.
 */
export async function writeExt4(
  plan: Ext4Plan,
  sink: RandomAccess,
  options: WriteExt4Options = {},
): Promise<void> {
  const parts = partsOf(plan);
  const writer = new BlockWriter(sink, options.signal);
  const seed = crc32c(0xffffffff, parts.settings.uuid);
  options.signal?.throwIfAborted();
  await setSize(sink, plan.sizeBytes);
  const totals = await writeGroupTables(parts, writer, seed);
  const table = new InodeTable(parts, seed);
  await table.write(writer);
  await writeMetadataZone(parts, writer, seed);
  await writeExtentBlocks(parts.extents, writer, seed);
  await writeJournal(parts, writer);
  await writeResizeBlocks(parts, writer);
  const journal = parts.fit.journalBlocks > 0 ? table.journalBackup() : undefined;
  await writeSuperblocks(parts, writer, totals, journal);
}

async function setSize(sink: RandomAccess, sizeBytes: number): Promise<void> {
  if (sink.truncate !== undefined) await sink.truncate(sizeBytes);
  else if ((await sink.size()) < sizeBytes) await sink.write?.(sizeBytes - 1, new Uint8Array(1));
}

/** Writes directories, long symlinks, attribute blocks and attribute values, in the order of their places. */
async function writeMetadataZone(
  parts: PlanParts,
  writer: BlockWriter,
  seed: number,
): Promise<void> {
  const { inventory, extents, store } = parts;
  const directories = new DirectoryBlocks(parts, seed);
  for (let inode: number = inodes.root; inode <= inventory.lastInode; inode++) {
    const node = inventory.nodeOf[inode] as number;
    const type = (store.mode[node] ?? 0) & 0xf000;
    if (type === typeBits.directory || inode === inodes.lostAndFound) {
      const parent = inventory.inodeOf[store.parent[node] ?? 0] as number;
      await writeContent(parts, writer, inode, directories.build(inode, parent));
    } else if (type === typeBits.symlink && (extents.count[inode] as number) > 0) {
      const target = store.arena.view(store.a[node] as number, store.b[node] as number);
      await writeContent(parts, writer, inode, blocksOf(target));
    }
    if (node !== none) await writeXattrBlock(parts, writer, inode, node, seed);
  }
  for (const { inode, value } of inventory.valueInodes) {
    await writeContent(parts, writer, inode, blocksOf(value));
  }
}

async function writeXattrBlock(
  { extents, inventory, store }: PlanParts,
  writer: BlockWriter,
  inode: number,
  node: number,
  seed: number,
): Promise<void> {
  const block = extents.xattrBlock[inode] as number;
  if (block === 0) return;
  const set = store.xattrSet[node] as number;
  const { inInode = [], inBlock = [] } = inventory.xattrLayouts.get(set) ?? {};
  const valuesInInode = inInode.filter(({ place }) => place === "inode").length;
  const values = (inventory.valueInodesOf.get(set) ?? []).slice(valuesInInode)[Symbol.iterator]();
  const next = (): ValueInode => values.next().value as ValueInode;
  await writer.block(block, buildXattrBlock(block, inBlock, next, seed));
}

async function writeContent(
  { extents }: PlanParts,
  writer: BlockWriter,
  inode: number,
  blocks: Iterable<Uint8Array>,
): Promise<void> {
  let extent = extents.start[inode] as number;
  let done = 0;
  for (const bytes of blocks) {
    if (done === extents.length[extent]) {
      extent++;
      done = 0;
    }
    await writer.block((extents.physical[extent] as number) + done, bytes);
    done++;
  }
}

function* blocksOf(content: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < content.byteLength; at += blockBytes) {
    const block = new Uint8Array(blockBytes);
    block.set(content.subarray(at, at + blockBytes));
    yield block;
  }
}
