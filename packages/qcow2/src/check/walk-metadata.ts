import { readSnapshotTable } from "../snapshots/read-table.ts";
import { clusterUse } from "./reference-map.ts";
import { walkBitmaps } from "./walk-bitmaps.ts";
import type { WalkContext } from "./walk-context.ts";
import { walkActiveL1, walkSnapshotL1s } from "./walk-l1.ts";
import { walkL2Tables } from "./walk-l2.ts";
import { compareRefcounts, walkRefcountTable } from "./walk-refcounts.ts";

/** How much of the metadata is compared. */
export interface WalkOptions {
  /** Whether stored refcounts are compared with the references; not for a dirty image, where they may be too low. */
  readonly comparesRefcounts: boolean;
}

/**
 * Walks all metadata of an image: every table is read, every reference counted and, when asked, compared with the stored
 * refcounts. Data clusters are not read. Findings go to the context's sink.
 */
export async function walkMetadata(context: WalkContext, options: WalkOptions): Promise<void> {
  const { header, contents } = context.area;
  context.addCluster(0, clusterUse.header, 1, 0);
  const blocks = await walkRefcountTable(context);
  await walkActiveL1(context);
  await walkSnapshots(context);
  if (contents.encryptionHeader) {
    const { offset, lengthBytes } = contents.encryptionHeader;
    context.addRange(offset, lengthBytes, clusterUse.encryption, 1, offset);
  }
  await walkBitmaps(context);
  await walkL2Tables(context);
  if (options.comparesRefcounts && header.refcountTableClusters > 0) {
    await compareRefcounts(context, blocks);
  }
}

async function walkSnapshots(context: WalkContext): Promise<void> {
  const { header } = context.area;
  if (header.snapshotCount === 0) return;
  const table = await readSnapshotTable(context.reader, header, context.budget);
  const { snapshotsOffset: offset } = header;
  context.addRange(offset, table.lengthBytes, clusterUse.snapshotTable, 1, offset);
  await walkSnapshotL1s(context, table.entries);
}
