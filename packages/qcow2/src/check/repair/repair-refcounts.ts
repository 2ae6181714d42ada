import type { RandomAccess } from "@box/io";
import { viewOf } from "../../bytes/big-endian.ts";
import { readRefcount, refcountsPerBlock, writeRefcount } from "../../refcount/refcount-block.ts";
import { HostFile } from "../../write/host-file.ts";
import type { CheckImageOptions } from "../check-options.ts";
import { type CheckRun, startCheck } from "../check-run.ts";
import { clusterUse, useMask } from "../reference-map.ts";
import type { WalkContext } from "../walk-context.ts";
import { countReferences } from "../walk-metadata.ts";
import type { RefcountBlocks } from "../walk-refcounts.ts";
import { rebuildRefcounts } from "./rebuild-refcounts.ts";

/** Which stored refcounts are changed: those that are too high, or those that are too low. */
type RefcountRepair = "lower" | "raise";

/**
 * Raises refcounts that are too low; writes the refcount structures anew when they cannot be used.
 *
 * @returns Whether anything was written.
 */
export async function raiseRefcounts(
  source: RandomAccess,
  { context, sink, walk }: CheckRun,
  options: CheckImageOptions,
): Promise<boolean> {
  if (!walk.isComplete) return false;
  if (context.tally.needsRebuild && (await rebuild(source, options))) return true;
  if (!sink.codes.has("QCOW2_REFCOUNT_TOO_LOW")) return false;
  return repairRefcounts(context, walk.blocks, "raise");
}

async function rebuild(source: RandomAccess, options: CheckImageOptions): Promise<boolean> {
  const { context } = await startCheck(source, options);
  const how = { requiresSnapshotExtra: false, skipsRefcounts: true };
  const { isComplete } = await countReferences(context, how);
  // The file grows: what points past its end would point at the new structures.
  if (!isComplete || context.hasPastEnd) return false;
  await rebuildRefcounts(context, new HostFile(context.reader, undefined));
  return true;
}

/**
 * Writes the number of references where the stored refcount is too high or too low, in the blocks that are sound and
 * nothing else at the same time.
 *
 * @returns Whether anything was written.
 */
export async function repairRefcounts(
  context: WalkContext,
  blocks: RefcountBlocks,
  repair: RefcountRepair,
): Promise<boolean> {
  const host = new HostFile(context.reader, undefined);
  const { clusterSize, area, format, reader } = context;
  const { refcountOrder } = area.header;
  const perBlock = refcountsPerBlock(format.clusterBits, refcountOrder);
  const clusters = Math.ceil(reader.sizeBytes / clusterSize) + 1;
  let isChanged = false;
  for (const [index, offset] of blocks.offsets.entries()) {
    const first = index * perBlock;
    const count = Math.min(perBlock, clusters - first);
    if (blocks.sound[index] !== 1 || count <= 0 || !isOnlyBlock(context, offset)) continue;
    context.pause();
    const bytes = (await reader.readExactly(offset, clusterSize, "refcount block")).slice();
    if (!correct(context, bytes, first, count, repair)) continue;
    await host.write(offset, bytes, "refcount block");
    isChanged = true;
  }
  await host.flush();
  return isChanged;
}

/** A block that is also something else, or cut, is not written to. */
function isOnlyBlock({ references, clusterSize, reader }: WalkContext, offset: number): boolean {
  const uses = references.usesAt(offset / clusterSize) & useMask;
  return uses === clusterUse.refcountBlock && offset + clusterSize <= reader.sizeBytes;
}

/** @returns Whether any refcount of the block was changed. */
function correct(
  { references, area }: WalkContext,
  bytes: Uint8Array,
  first: number,
  clusters: number,
  repair: RefcountRepair,
): boolean {
  const { refcountOrder } = area.header;
  const maxRefcount = 2 ** (2 ** refcountOrder) - 1;
  const view = viewOf(bytes);
  let isChanged = false;
  for (let index = 0; index < clusters; index++) {
    const stored = readRefcount(view, index, refcountOrder);
    const counted = Math.min(references.countAt(first + index), maxRefcount);
    const isWrong = repair === "lower" ? stored > counted : stored < counted;
    if (!isWrong) continue;
    writeRefcount(bytes, index, refcountOrder, counted);
    isChanged = true;
  }
  return isChanged;
}
