import { Qcow2Error } from "../errors.ts";
import { formatLimits } from "../header/layout.ts";

/** What decides how the refcounts of an image are extended. */
export interface ExtensionRequest {
  /** Number of the first refcount block to add: all clusters from there on are free. */
  readonly firstIndex: number;
  /** Entries of the present table. */
  readonly tableEntries: number;
  /** Clusters to take behind the new blocks and the new table. */
  readonly clusters: number;
  /** Refcounts of a block. */
  readonly perBlock: number;
  /** Bytes of a cluster. */
  readonly clusterSize: number;
}

/** New refcount blocks, and behind them a new table when there is one, and then the clusters that were asked for. */
export interface RefcountExtension {
  /** Number of the first new block; it starts with the first cluster that it counts. */
  readonly firstIndex: number;
  /** Number of new blocks. */
  readonly blocks: number;
  /** Clusters of the new table; 0 when the present one is large enough. */
  readonly tableClusters: number;
  /** Where the new table goes. */
  readonly tableOffset: number;
  /** First cluster behind blocks and table. */
  readonly firstFree: number;
}

/**
 * Plans blocks and a table that count themselves and each other. Pure.
 *
 * @throws {@link Qcow2Error} `QCOW2_TABLE_TOO_LARGE` when the table would be over its limit.
 */
export function planExtension(request: ExtensionRequest): RefcountExtension {
  const { firstIndex, tableEntries, clusters, perBlock, clusterSize } = request;
  let blocks = 1;
  let tableClusters = 0;
  for (;;) {
    const entries = firstIndex + blocks;
    if (entries > tableEntries) {
      // Half as much again, so that growing costs little over time; but never over the limit for that.
      const roomy = Math.min(
        Math.floor(tableEntries * 1.5),
        formatLimits.maxRefcountTableBytes / 8,
      );
      tableClusters = Math.ceil((Math.max(entries, roomy) * 8) / clusterSize);
    }
    const needed = Math.ceil((blocks + tableClusters + clusters) / perBlock);
    if (needed <= blocks) break;
    blocks = needed;
  }
  requireWithinLimits(tableClusters * clusterSize);
  const tableCluster = firstIndex * perBlock + blocks;
  return {
    firstIndex,
    blocks,
    tableClusters,
    tableOffset: tableCluster * clusterSize,
    firstFree: tableCluster + tableClusters,
  };
}

function requireWithinLimits(lengthBytes: number): void {
  const limitBytes = formatLimits.maxRefcountTableBytes;
  if (lengthBytes <= limitBytes) return;
  throw new Qcow2Error({
    code: "QCOW2_TABLE_TOO_LARGE",
    message: `the image needs a refcount table of ${lengthBytes} bytes, more than ${limitBytes}`,
    structure: "refcount table",
    details: { lengthBytes, limitBytes },
  });
}
