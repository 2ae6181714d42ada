import type { RandomAccess } from "@box/io";
import { viewOf, writeU64 } from "../../bytes/big-endian.ts";
import { headerFields } from "../../header/layout.ts";
import { refcountsPerBlock } from "../../refcount/refcount-block.ts";
import { type SnapshotEntry, snapshotHeadBytes } from "../../snapshots/parse.ts";
import { HostFile } from "../../write/host-file.ts";
import type { CheckImageOptions } from "../check-options.ts";
import { type CheckRun, startCheck } from "../check-run.ts";
import { clusterUse } from "../reference-map.ts";
import type { WalkContext } from "../walk-context.ts";
import { countReferences } from "../walk-metadata.ts";
import { rebuildRefcounts } from "./rebuild-refcounts.ts";
import { repairRefcounts } from "./repair-refcounts.ts";

/** Extra data that version 3 asks for: the sizes of the machine state and of the disk. */
const neededExtraBytes = 16;

/**
 * Gives snapshots the extra data that version 3 asks for. The new table is written and counted behind the end of the
 * file, and only then the header names it; until then it is a leak.
 *
 * Nothing is done when a pointer leads past the end of the file: it would lead into the new table.
 *
 * @returns Whether anything was written.
 */
export async function completeSnapshots(
  source: RandomAccess,
  { context: found, walk }: CheckRun,
  options: CheckImageOptions,
): Promise<boolean> {
  const isMissing = walk.snapshots.some(({ extra }) => extra.byteLength < neededExtraBytes);
  if (found.area.header.version !== 3 || !isMissing || !walk.isComplete || found.hasPastEnd) {
    return false;
  }
  const { context } = await startCheck(source, options);
  const skipsRefcounts = needsNewRefcounts(found, walk, walk.snapshots);
  const { blocks } = await countReferences(context, {
    requiresSnapshotExtra: false,
    skipsRefcounts,
  });
  const table = await newTable(context, walk.snapshots);
  const first = firstFreeCluster(context);
  for (let cluster = 0; cluster * context.clusterSize < table.byteLength; cluster++) {
    context.references.add(first + cluster, clusterUse.snapshotTable, 1);
  }
  const host = new HostFile(context.reader, undefined);
  await host.write(first * context.clusterSize, table, "snapshot table");
  if (skipsRefcounts) await rebuildRefcounts(context, host);
  else await repairRefcounts(context, blocks, "raise");
  const field = new Uint8Array(8);
  writeU64(viewOf(field), 0, first * context.clusterSize);
  await host.write(headerFields.snapshotsOffset, field, "header");
  await host.flush();
  return true;
}

/** A compressed cluster may reach into the one behind the end of the file. */
function firstFreeCluster({ reader, clusterSize }: WalkContext): number {
  return Math.ceil(reader.sizeBytes / clusterSize) + 1;
}

/** Whether the refcount structures cannot be used, or do not reach as far as the new table. */
function needsNewRefcounts(
  context: WalkContext,
  { blocks }: CheckRun["walk"],
  snapshots: readonly SnapshotEntry[],
): boolean {
  if (context.tally.needsRebuild) return true;
  const { clusterSize, format, area } = context;
  const perBlock = refcountsPerBlock(format.clusterBits, area.header.refcountOrder);
  const first = firstFreeCluster(context);
  const last = first + Math.floor((tableBytes(snapshots) - 1) / clusterSize);
  for (let index = Math.floor(first / perBlock); index * perBlock <= last; index++) {
    if (blocks.sound[index] !== 1) return true;
  }
  return false;
}

function tableBytes(snapshots: readonly SnapshotEntry[]): number {
  return snapshots.reduce((sum, entry) => sum + entryBytes(entry), 0);
}

function entryBytes({ extra, id, name }: SnapshotEntry): number {
  const extraBytes = Math.max(neededExtraBytes, extra.byteLength);
  return Math.ceil((snapshotHeadBytes + extraBytes + id.byteLength + name.byteLength) / 8) * 8;
}

/** The table with every entry as it is, but for the extra data that is missing. */
async function newTable(
  context: WalkContext,
  snapshots: readonly SnapshotEntry[],
): Promise<Uint8Array> {
  const bytes = new Uint8Array(tableBytes(snapshots));
  let at = 0;
  for (const entry of snapshots) {
    const { entryOffset, extra, id, name, vmStateBytes, diskSizeBytes } = entry;
    const head = await context.reader.readExactly(entryOffset, snapshotHeadBytes, "snapshot table");
    const extraBytes = Math.max(neededExtraBytes, extra.byteLength);
    const view = viewOf(bytes.subarray(at));
    bytes.set(head, at);
    view.setUint32(36, extraBytes);
    view.setBigUint64(snapshotHeadBytes, vmStateBytes);
    view.setBigUint64(snapshotHeadBytes + 8, diskSizeBytes);
    // Eight bytes are a whole first field; fewer than that say nothing.
    if (extra.byteLength >= neededExtraBytes) bytes.set(extra, at + snapshotHeadBytes);
    bytes.set(id, at + snapshotHeadBytes + extraBytes);
    bytes.set(name, at + snapshotHeadBytes + extraBytes + id.byteLength);
    at += entryBytes(entry);
  }
  return bytes;
}
