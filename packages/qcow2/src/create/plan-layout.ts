import { Qcow2Error } from "../errors.ts";
import { formatLimits } from "../header/layout.ts";
import { refcountsPerBlock } from "../refcount/refcount-block.ts";

/** What decides where the tables of a fresh image go. */
export interface LayoutRequest {
  /** Size of the virtual disk in bytes. */
  readonly virtualSizeBytes: number;
  /** Cluster size is 2 to this power. */
  readonly clusterBits: number;
  /** A refcount is 2 to this power bits wide. */
  readonly refcountOrder: number;
  /** Whether L2 entries are 16 bytes. */
  readonly hasExtendedL2: boolean;
  /** Whether every L2 table is made at once. */
  readonly preallocatesL2: boolean;
  /** Whether room for every data cluster is taken in the image file. */
  readonly preallocatesData: boolean;
}

/** Where the parts of a fresh image are: header, refcount table, refcount blocks, L1, L2 tables, data, in this order. */
export interface ImageLayout {
  /** Bytes of a cluster. */
  readonly clusterSizeBytes: number;
  /** Clusters of the refcount table. */
  readonly refcountTableClusters: number;
  /** Where the refcount table is. */
  readonly refcountTableOffset: number;
  /** Number of refcount blocks. */
  readonly refcountBlocks: number;
  /** Where the first refcount block is. */
  readonly refcountBlocksOffset: number;
  /** Entries of the L1 table. */
  readonly l1Entries: number;
  /** Where the L1 table is. */
  readonly l1Offset: number;
  /** Number of L2 tables. */
  readonly l2Tables: number;
  /** Where the first L2 table is. */
  readonly l2Offset: number;
  /** Number of data clusters that the virtual disk has. */
  readonly guestClusters: number;
  /** Where the first data cluster is. */
  readonly dataOffset: number;
  /** Clusters in use, from the start of the file. */
  readonly usedClusters: number;
}

/**
 * Computes the layout of a fresh image. Pure.
 *
 * @throws {@link Qcow2Error} `QCOW2_IMAGE_TOO_LARGE` when the L1 or refcount table would be over its limit.
 */
export function planLayout(request: LayoutRequest): ImageLayout {
  const clusterSizeBytes = 2 ** request.clusterBits;
  const guestClusters = Math.ceil(request.virtualSizeBytes / clusterSizeBytes);
  const l2Entries = clusterSizeBytes / (request.hasExtendedL2 ? 16 : 8);
  const l1Entries = Math.ceil(guestClusters / l2Entries);
  requireWithin("L1 table", l1Entries * 8, formatLimits.maxL1Bytes, request);
  const l1Clusters = Math.ceil((l1Entries * 8) / clusterSizeBytes);
  const l2Tables = request.preallocatesL2 ? l1Entries : 0;
  const dataClusters = request.preallocatesData ? guestClusters : 0;
  const others = 1 + l1Clusters + l2Tables + dataClusters;
  const { tableClusters, blocks } = planRefcounts(others, request);
  requireWithin(
    "refcount table",
    tableClusters * clusterSizeBytes,
    formatLimits.maxRefcountTableBytes,
    request,
  );
  const at = (clusters: number): number => clusters * clusterSizeBytes;
  const l1Start = 1 + tableClusters + blocks;
  return {
    clusterSizeBytes,
    refcountTableClusters: tableClusters,
    refcountTableOffset: at(1),
    refcountBlocks: blocks,
    refcountBlocksOffset: at(1 + tableClusters),
    l1Entries,
    l1Offset: at(l1Start),
    l2Tables,
    l2Offset: at(l1Start + l1Clusters),
    guestClusters,
    dataOffset: at(l1Start + l1Clusters + l2Tables),
    usedClusters: others + tableClusters + blocks,
  };
}

/** Grows table and blocks until they cover themselves too. */
function planRefcounts(
  others: number,
  request: LayoutRequest,
): { tableClusters: number; blocks: number } {
  const perBlock = refcountsPerBlock(request.clusterBits, request.refcountOrder);
  const perTableCluster = 2 ** request.clusterBits / 8;
  let tableClusters = 1;
  let blocks = 1;
  for (;;) {
    const neededBlocks = Math.ceil((others + tableClusters + blocks) / perBlock);
    const neededTable = Math.ceil(neededBlocks / perTableCluster);
    if (neededBlocks <= blocks && neededTable <= tableClusters) return { tableClusters, blocks };
    blocks = Math.max(blocks, neededBlocks);
    tableClusters = Math.max(tableClusters, neededTable);
  }
}

function requireWithin(
  table: string,
  lengthBytes: number,
  limitBytes: number,
  request: LayoutRequest,
): void {
  if (lengthBytes <= limitBytes) return;
  throw new Qcow2Error({
    code: "QCOW2_IMAGE_TOO_LARGE",
    message: `a disk of ${request.virtualSizeBytes} bytes with clusters of ${2 ** request.clusterBits} needs a ${table} of ${lengthBytes} bytes, more than ${limitBytes}`,
    details: { virtualSizeBytes: request.virtualSizeBytes, lengthBytes, limitBytes },
    hint: "choose larger clusters",
  });
}
