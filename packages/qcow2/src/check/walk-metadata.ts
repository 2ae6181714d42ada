import type { SnapshotEntry } from "../snapshots/parse.ts";
import { readSnapshotTable } from "../snapshots/read-table.ts";
import { compareRefcounts } from "./compare-refcounts.ts";
import { toErrorFinding } from "./finding-of-error.ts";
import { L2Queue } from "./l2-queue.ts";
import { clusterUse } from "./reference-map.ts";
import { reportCopiedBits } from "./report-copied-bits.ts";
import { walkBitmaps } from "./walk-bitmaps.ts";
import type { WalkContext } from "./walk-context.ts";
import { walkActiveL1, walkSnapshotL1s } from "./walk-l1.ts";
import { walkL2Tables } from "./walk-l2.ts";
import { countRefcountBlocks, type RefcountBlocks, readRefcountTable } from "./walk-refcounts.ts";

/** How much of the metadata is compared. */
export interface WalkOptions {
  /** Whether stored refcounts are compared with the references; not for a dirty image, where they may be too low. */
  readonly comparesRefcounts: boolean;
  /** Whether version 3 snapshots must have the extra data that the version asks for. */
  readonly requiresSnapshotExtra: boolean;
  /** Whether the refcount structures are left out, because they are about to be written anew. */
  readonly skipsRefcounts?: boolean;
}

/** The tables that a walk found. */
export interface WalkResult {
  /** Whether every reference was counted; `false` when the snapshot table or bitmap directory cannot be read. */
  readonly isComplete: boolean;
  /** The L2 tables. */
  readonly l2Tables: L2Queue;
  /** The refcount blocks. */
  readonly blocks: RefcountBlocks;
  /** The snapshots, when their table can be read. */
  readonly snapshots: readonly SnapshotEntry[];
}

/**
 * Walks all metadata of an image: every table is read, every reference counted and, when asked, compared with the stored
 * refcounts. Data clusters are not read. Findings go to the context's sink.
 */
export async function walkMetadata(
  context: WalkContext,
  options: WalkOptions,
): Promise<WalkResult> {
  const result = await countReferences(context, options);
  if (!options.comparesRefcounts || !result.isComplete) return result;
  const hasWrongClaims = await compareRefcounts(context, result.blocks);
  if (hasWrongClaims || context.hasPastEnd) {
    await reportCopiedBits(context, result);
  }
  return result;
}

const noBlocks: RefcountBlocks = { offsets: new Float64Array(0), sound: new Uint8Array(0) };

/** Counts every reference, without comparing. */
export async function countReferences(
  context: WalkContext,
  options: Omit<WalkOptions, "comparesRefcounts">,
): Promise<WalkResult> {
  const { contents } = context.area;
  const l2Tables = new L2Queue(context.budget);
  context.addCluster(0, clusterUse.header, 1, 0);
  const blocks = options.skipsRefcounts ? noBlocks : await readRefcountTable(context);
  await walkActiveL1(context, l2Tables);
  const snapshots = await walkSnapshots(context, l2Tables, options.requiresSnapshotExtra);
  if (contents.encryptionHeader) {
    const { offset, lengthBytes } = contents.encryptionHeader;
    context.addRange(offset, lengthBytes, clusterUse.encryption, 1, offset);
  }
  const hasBitmaps = await walkBitmaps(context);
  await walkL2Tables(context, l2Tables);
  countRefcountBlocks(context, blocks);
  const isComplete = snapshots !== undefined && hasBitmaps;
  return { isComplete, l2Tables, blocks, snapshots: snapshots ?? [] };
}

async function walkSnapshots(
  context: WalkContext,
  queue: L2Queue,
  requiresExtra: boolean,
): Promise<readonly SnapshotEntry[] | undefined> {
  const { header } = context.area;
  if (header.snapshotCount === 0) return [];
  const table = await toErrorFinding(context.sink, () =>
    readSnapshotTable(context.reader, header, context.budget),
  );
  if (table === undefined) return undefined;
  const { snapshotsOffset: offset } = header;
  context.addRange(offset, table.lengthBytes, clusterUse.snapshotTable, 1, offset);
  if (requiresExtra && header.version === 3) reportMissingExtra(context, table.entries);
  if (context.format.hasDataFile) {
    const message = `the image has ${header.snapshotCount} snapshots, although its data is in an external file`;
    context.report({
      code: "QCOW2_SNAPSHOT_INVALID",
      structure: "snapshot table",
      offset,
      message,
    });
  }
  await walkSnapshotL1s(context, table.entries, queue);
  return table.entries;
}

/** Version 3 asks for 16 bytes of extra data: the sizes of the machine state and of the disk. */
function reportMissingExtra(context: WalkContext, entries: readonly SnapshotEntry[]): void {
  for (const { extra, entryOffset: offset } of entries) {
    if (extra.byteLength >= 16) continue;
    const message = `the snapshot entry at byte ${offset} has ${extra.byteLength} bytes of extra data, version 3 asks for 16`;
    context.report({
      code: "QCOW2_SNAPSHOT_INVALID",
      structure: "snapshot table",
      offset,
      message,
    });
  }
}
