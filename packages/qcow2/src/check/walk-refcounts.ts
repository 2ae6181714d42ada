import { viewOf } from "../bytes/big-endian.ts";
import { readRefcount, refcountsPerBlock } from "../refcount/refcount-block.ts";
import { entryOffset } from "../tables/l1-entry.ts";
import { reportError } from "./finding.ts";
import { clusterUse, pageClusters, structureOfUse } from "./reference-map.ts";
import type { WalkContext } from "./walk-context.ts";

/** Host offsets of the refcount blocks by number; 0 where there is none or none that can be read. */
export type RefcountBlocks = Float64Array;

/** Reads the refcount table and counts it and the blocks that it names. */
export async function walkRefcountTable(context: WalkContext): Promise<RefcountBlocks> {
  const { refcountTableOffset: tableOffset, refcountTableClusters } = context.area.header;
  const lengthBytes = refcountTableClusters * context.clusterSize;
  context.addRange(tableOffset, lengthBytes, clusterUse.refcountTable, 1, tableOffset);
  context.budget.take(lengthBytes * 2, "refcount table");
  const view = viewOf(await context.reader.readExactly(tableOffset, lengthBytes, "refcount table"));
  const blocks = new Float64Array(lengthBytes / 8);
  for (let index = 0; index < blocks.length; index++) {
    const high = view.getUint32(index * 8);
    const low = view.getUint32(index * 8 + 4);
    if (high === 0 && low === 0) continue;
    blocks[index] = walkTableEntry(context, high, low, tableOffset + index * 8);
  }
  return blocks;
}

function walkTableEntry(context: WalkContext, high: number, low: number, from: number): number {
  if ((low & 0x1ff) !== 0) {
    context.reservedBits("refcount table", from);
    return 0;
  }
  const offset = high * 2 ** 32 + low;
  if (offset % context.clusterSize !== 0) {
    context.misaligned("refcount block", offset, from);
    return 0;
  }
  if (offset + context.clusterSize > context.reader.sizeBytes) {
    context.outOfFile(clusterUse.refcountBlock, offset, context.clusterSize, from);
    return 0;
  }
  context.addCluster(entryOffset(high, low), clusterUse.refcountBlock, 1, from);
  return offset;
}

/** Compares every stored refcount with the references that were counted. Leaks are counted, the rest is an error. */
export async function compareRefcounts(
  context: WalkContext,
  blocks: RefcountBlocks,
): Promise<void> {
  const { clusterBits, refcountOrder } = {
    ...context.format,
    refcountOrder: context.area.header.refcountOrder,
  };
  const perBlock = refcountsPerBlock(clusterBits, refcountOrder);
  reportUncovered(context, blocks, perBlock);
  const fileClusters = Math.ceil(context.reader.sizeBytes / context.clusterSize);
  for (let index = 0; index < blocks.length; index++) {
    const offset = blocks[index] ?? 0;
    if (offset === 0) continue;
    context.pause();
    const block = await context.reader.readExactly(offset, context.clusterSize, "refcount block");
    const first = index * perBlock;
    // A compressed cluster may reach into the cluster behind the end of the file.
    compareBlock(context, block, first, Math.min(perBlock, fileClusters + 1 - first), offset);
  }
}

function compareBlock(
  context: WalkContext,
  block: Uint8Array,
  first: number,
  clusters: number,
  blockOffset: number,
): void {
  const view = viewOf(block);
  const { refcountOrder } = context.area.header;
  let page = context.references.page(Math.floor(first / pageClusters));
  let leakStart = -1;
  for (let index = 0; index < clusters; index++) {
    const cluster = first + index;
    const inPage = cluster % pageClusters;
    if (inPage === 0) page = context.references.page(cluster / pageClusters);
    const stored = readRefcount(view, index, refcountOrder);
    const counted = page?.counts[inPage] ?? 0;
    if (stored > counted && cluster * context.clusterSize < context.reader.sizeBytes) {
      if (leakStart < 0) leakStart = cluster;
    } else if (leakStart >= 0) {
      context.sink.leak(leakStart * context.clusterSize, cluster - leakStart);
      leakStart = -1;
    }
    if (stored < counted) tooLow(context, cluster, stored, counted, blockOffset);
    if (counted > 0) compareCopied(context, cluster, stored, page?.uses[inPage] ?? 0);
  }
  if (leakStart >= 0) {
    context.sink.leak(leakStart * context.clusterSize, first + clusters - leakStart);
  }
}

/** Bit 63 of an active L1 or L2 entry says that the refcount is exactly 1. */
function compareCopied(context: WalkContext, cluster: number, stored: number, use: number): void {
  const wrong = stored === 1 ? clusterUse.claimedShared : clusterUse.claimedCopied;
  if ((use & wrong) === 0) return;
  const offset = cluster * context.clusterSize;
  const isSet = wrong === clusterUse.claimedCopied;
  reportError(
    context.sink,
    "QCOW2_COPIED_BIT_WRONG",
    structureOfUse(use),
    offset,
    `the cluster at byte ${offset} has refcount ${stored}, but an entry that points at it has the copied bit ${isSet ? "set" : "clear"}`,
  );
}

/** Reports referenced clusters that no refcount block covers. */
function reportUncovered(context: WalkContext, blocks: RefcountBlocks, perBlock: number): void {
  for (const pageIndex of context.references.pageIndexes()) {
    const page = context.references.page(pageIndex);
    for (let index = 0; index < pageClusters; index++) {
      const counted = page?.counts[index] ?? 0;
      if (counted === 0) continue;
      const cluster = pageIndex * pageClusters + index;
      if ((blocks[Math.floor(cluster / perBlock)] ?? 0) !== 0) continue;
      tooLow(context, cluster, 0, counted, context.area.header.refcountTableOffset);
      compareCopied(context, cluster, 0, page?.uses[index] ?? 0);
    }
  }
}

function tooLow(
  context: WalkContext,
  cluster: number,
  stored: number,
  counted: number,
  from: number,
): void {
  const offset = cluster * context.clusterSize;
  const use = context.references.page(Math.floor(cluster / pageClusters))?.uses[
    cluster % pageClusters
  ];
  reportError(
    context.sink,
    "QCOW2_REFCOUNT_TOO_LOW",
    structureOfUse(use ?? 0),
    offset,
    `the cluster at byte ${offset} is used ${counted} times, but its refcount in the block at byte ${from} is ${stored}`,
  );
}
