import { viewOf, writeU64 } from "../../bytes/big-endian.ts";
import { Qcow2Error } from "../../errors.ts";
import { formatLimits, headerFields } from "../../header/layout.ts";
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
 */
export async function rebuildRefcounts(context: WalkContext, host: HostFile): Promise<void> {
  const plan = planRebuild(context);
  const { clusterSize, format, area } = context;
  const perBlock = refcountsPerBlock(format.clusterBits, area.header.refcountOrder);
  const table = new Uint8Array(plan.tableClusters * clusterSize);
  const firstBlock = plan.firstCluster + plan.tableClusters;
  const end = firstBlock + plan.blocks.length;
  for (const [position, index] of plan.blocks.entries()) {
    context.pause();
    const offset = (firstBlock + position) * clusterSize;
    writeU64(viewOf(table), index * 8, offset);
    const block = blockOf(context, index * perBlock, perBlock, plan.firstCluster, end);
    await host.write(offset, block, "refcount block");
  }
  await host.write(plan.firstCluster * clusterSize, table, "refcount table");
  await host.flush();
  const fields = new Uint8Array(12);
  writeU64(viewOf(fields), 0, plan.firstCluster * clusterSize);
  viewOf(fields).setUint32(8, plan.tableClusters);
  await host.write(headerFields.refcountTableOffset, fields, "header");
  await host.flush();
}

function planRebuild(context: WalkContext): RebuildPlan {
  const { clusterSize, format, area, references, reader } = context;
  const perBlock = refcountsPerBlock(format.clusterBits, area.header.refcountOrder);
  const firstCluster = Math.ceil(reader.sizeBytes / clusterSize) + 1;
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
    const lastIndex = Math.max(...blocks);
    const neededClusters = Math.ceil(((lastIndex + 1) * 8) / clusterSize);
    requireTableSize(neededClusters * clusterSize);
    if (blocks.size === before && neededClusters <= tableClusters) {
      return { firstCluster, tableClusters, blocks: [...blocks].sort((a, b) => a - b) };
    }
    tableClusters = Math.max(tableClusters, neededClusters);
  }
}

function blockOf(
  context: WalkContext,
  first: number,
  perBlock: number,
  ownStart: number,
  ownEnd: number,
): Uint8Array {
  const { refcountOrder } = context.area.header;
  const maxRefcount = 2 ** (2 ** refcountOrder) - 1;
  const bytes = new Uint8Array(context.clusterSize);
  for (let index = 0; index < perBlock; index++) {
    const cluster = first + index;
    const isOwn = cluster >= ownStart && cluster < ownEnd;
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
