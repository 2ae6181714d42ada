import { viewOf } from "../bytes/big-endian.ts";
import { clusterUse } from "./reference-map.ts";
import type { WalkContext } from "./walk-context.ts";

/** The refcount blocks by number; those that lie behind what the file has of the refcount table are left out. */
export interface RefcountBlocks {
  /** Host offsets: 0 where there is no block, NaN where the table's entry cannot be followed. */
  readonly offsets: Float64Array;
  /** 1 for entries with nothing wrong about them, whose blocks are counted as references. */
  readonly sound: Uint8Array;
}

const two63 = 2 ** 63;

/** Reads the refcount table and counts the clusters that it takes. */
export async function readRefcountTable(context: WalkContext): Promise<RefcountBlocks> {
  const { refcountTableOffset: tableOffset, refcountTableClusters } = context.area.header;
  const lengthBytes = refcountTableClusters * context.clusterSize;
  context.addRange(tableOffset, lengthBytes, clusterUse.refcountTable, 1, tableOffset);
  const readable = Math.ceil(context.insideFile(tableOffset, lengthBytes) / 8) * 8;
  if (readable < lengthBytes) {
    context.outOfFile(clusterUse.refcountTable, tableOffset, lengthBytes, tableOffset, 0);
  }
  context.budget.take(readable * 2, "refcount table");
  const view = viewOf(await context.readPadded(tableOffset, readable));
  const offsets = new Float64Array(readable / 8);
  const sound = new Uint8Array(readable / 8);
  for (let index = 0; index < offsets.length; index++) {
    const high = view.getUint32(index * 8);
    const low = view.getUint32(index * 8 + 4);
    if (high === 0 && low === 0) continue;
    const from = tableOffset + index * 8;
    const isSound = isSoundEntry(context, high, low, from);
    if (!isSound) context.tally.needsRebuild = true;
    sound[index] = isSound ? 1 : 0;
    const offset = high * 2 ** 32 + ((low & 0xfffffe00) >>> 0);
    if (isSound) claimBlock(context, offset, from);
    const canFollow = (low & 0xfffffe00 & (context.clusterSize - 1)) === 0 && offset < two63;
    offsets[index] = canFollow ? offset : Number.NaN;
  }
  return { offsets, sound };
}

function isSoundEntry(context: WalkContext, high: number, low: number, from: number): boolean {
  const offset = high * 2 ** 32 + low;
  if ((low & 0x1ff) !== 0) context.reservedBits("refcount table", from);
  else if ((low & (context.clusterSize - 1)) !== 0) {
    context.misaligned("refcount block", offset, from);
  } else if (offset >= context.reader.sizeBytes) {
    context.outOfFile(clusterUse.refcountBlock, offset, context.clusterSize, from, 1);
  } else return true;
  return false;
}

/** Marks a block's cluster, so that whatever else points there is found; it is counted later. */
function claimBlock(context: WalkContext, offset: number, from: number): void {
  const { clusterSize, reader, references } = context;
  const use = clusterUse.refcountBlock;
  if (offset + clusterSize > reader.sizeBytes) {
    context.outOfFile(use, offset, clusterSize, from, 0);
  }
  const clash = references.add(offset / clusterSize, use, 0);
  if (clash !== 0) context.overlap(offset, clash, use);
}

/**
 * Counts the refcount blocks. They come last: QEMU finds a block that is also something else by its count at that time.
 */
export function countRefcountBlocks(context: WalkContext, blocks: RefcountBlocks): void {
  const { clusterSize, references, tally } = context;
  const maxRefcount = 2 ** (2 ** context.area.header.refcountOrder) - 1;
  for (const [index, offset] of blocks.offsets.entries()) {
    if (blocks.sound[index] !== 1) continue;
    const cluster = offset / clusterSize;
    references.add(cluster, clusterUse.refcountBlock, 1);
    const count = references.countAt(cluster);
    if (Math.min(count, maxRefcount) === 1) continue;
    tally.needsRebuild = true;
    const message = `the refcount block at byte ${offset} is used ${count} times`;
    context.report({ code: "QCOW2_OVERLAP", structure: "refcount block", offset, message });
  }
}
