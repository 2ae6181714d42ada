import { viewOf, writeU64 } from "../../bytes/big-endian.ts";
import { Qcow2Error } from "../../errors.ts";
import { formatLimits, headerFields } from "../../header/layout.ts";
import { serializeHeader } from "../../header/serialize.ts";
import { refcountsPerBlock, writeRefcount } from "../../refcount/refcount-block.ts";
import type { HostFile } from "../../write/host-file.ts";
import { pageClusters } from "../reference-map.ts";
import type { WalkContext } from "../walk-context.ts";

/** New refcount structures, behind everything that the file has. */
interface RebuildPlan {
  /** Cluster of the new table. */
  readonly firstCluster: number;
  /** Clusters of the new table. */
  readonly tableClusters: number;
  /** Numbers of the blocks, lowest first; they follow the table in this order. */
  readonly blocks: readonly number[];
}

/**
 * Writes a new refcount table and new blocks behind the end of the file and only then lets the header name them. What the
 * old ones took is free afterwards. Until the header is written the image is as it was.
 *
 * @param context - Has counted every reference, without the refcount structures themselves.
 * @param refcountOrder - Width of the new refcounts; the image's own unless given.
 */
export async function rebuildRefcounts(
  context: WalkContext,
  host: HostFile,
  refcountOrder: number = context.area.header.refcountOrder,
): Promise<void> {
  const { clusterSize, format, area } = context;
  const perBlock = refcountsPerBlock(format.clusterBits, refcountOrder);
  const plan = planRebuild(context, perBlock);
  const table = new Uint8Array(plan.tableClusters * clusterSize);
  const firstBlock = plan.firstCluster + plan.tableClusters;
  const end = firstBlock + plan.blocks.length;
  for (const [position, index] of plan.blocks.entries()) {
    context.pause();
    const offset = (firstBlock + position) * clusterSize;
    writeU64(viewOf(table), index * 8, offset);
    const own = { start: plan.firstCluster, end };
    const block = blockOf(context, { first: index * perBlock, perBlock, refcountOrder }, own);
    await host.write(offset, block, "refcount block");
  }
  await host.write(plan.firstCluster * clusterSize, table, "refcount table");
  await host.flush();
  const header = serializeHeader({
    ...area.header,
    refcountTableOffset: plan.firstCluster * clusterSize,
    refcountTableClusters: plan.tableClusters,
    refcountOrder,
  });
  // Where the width changes, it changes in the same write.
  const from = headerFields.refcountTableOffset;
  const isSameWidth = refcountOrder === area.header.refcountOrder;
  const to = isSameWidth ? headerFields.snapshotCount : headerFields.headerLength;
  await host.write(from, header.subarray(from, to), "header");
  await host.flush();
}

function planRebuild(context: WalkContext, perBlock: number): RebuildPlan {
  const { clusterSize, references, reader } = context;
  const firstCluster = Math.max(Math.ceil(reader.sizeBytes / clusterSize) + 1, endOfOld(context));
  const blocks = new Set<number>();
  for (const pageIndex of references.pageIndexes()) {
    for (let index = 0; index < pageClusters; index++) {
      const cluster = pageIndex * pageClusters + index;
      if (references.countAt(cluster) > 0) blocks.add(Math.floor(cluster / perBlock));
    }
  }
  // The structures themselves need blocks, which need clusters again, until all fit.
  for (let tableClusters = 1; ; ) {
    const end = firstCluster + tableClusters + blocks.size;
    const before = blocks.size;
    for (let index = Math.floor(firstCluster / perBlock); index * perBlock < end; index++) {
      blocks.add(index);
    }
    const lastIndex = [...blocks].reduce((last, index) => Math.max(last, index), 0);
    const neededClusters = Math.ceil(((lastIndex + 1) * 8) / clusterSize);
    requireTableSize(neededClusters * clusterSize);
    if (blocks.size === before && neededClusters <= tableClusters) {
      return { firstCluster, tableClusters, blocks: [...blocks].sort((a, b) => a - b) };
    }
    tableClusters = Math.max(tableClusters, neededClusters);
  }
}

/** The old table may claim clusters behind the end of the file; it is in force until the header names the new one. */
function endOfOld({ area, clusterSize, reader }: WalkContext): number {
  const { refcountTableOffset, refcountTableClusters } = area.header;
  const isNear = refcountTableOffset < reader.sizeBytes + formatLimits.maxRefcountTableBytes * 2;
  return isNear ? refcountTableOffset / clusterSize + refcountTableClusters : 0;
}

function blockOf(
  context: WalkContext,
  { first, perBlock, refcountOrder }: { first: number; perBlock: number; refcountOrder: number },
  own: { start: number; end: number },
): Uint8Array {
  const maxRefcount = 2 ** (2 ** refcountOrder) - 1;
  const bytes = new Uint8Array(context.clusterSize);
  for (let index = 0; index < perBlock; index++) {
    const cluster = first + index;
    const isOwn = cluster >= own.start && cluster < own.end;
    const count = isOwn ? 1 : Math.min(context.references.countAt(cluster), maxRefcount);
    if (count > 0) writeRefcount(bytes, index, refcountOrder, count);
  }
  return bytes;
}

function requireTableSize(lengthBytes: number): void {
  if (lengthBytes <= formatLimits.maxRefcountTableBytes) return;
  throw new Qcow2Error({
    code: "QCOW2_TABLE_TOO_LARGE",
    message: `the new refcount table would need ${lengthBytes} bytes, more than ${formatLimits.maxRefcountTableBytes}`,
    structure: "refcount table",
  });
}
