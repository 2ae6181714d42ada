import { viewOf } from "../../bytes/big-endian.ts";
import { readRefcount, refcountsPerBlock, writeRefcount } from "../../refcount/refcount-block.ts";
import type { HostFile } from "../../write/host-file.ts";
import type { WalkContext } from "../walk-context.ts";
import type { RefcountBlocks } from "../walk-refcounts.ts";

/** Which stored refcounts are changed: those that are too high, or those that are too low. */
export type RefcountRepair = "lower" | "raise";

/**
 * Writes the number of references where the stored refcount is too high or too low.
 *
 * @param blocks - Sound ones: every cluster with a reference has a block, and no block is anything else.
 */
export async function repairRefcounts(
  context: WalkContext,
  blocks: RefcountBlocks,
  host: HostFile,
  repair: RefcountRepair,
): Promise<void> {
  const { clusterSize, area, format, reader } = context;
  const { refcountOrder } = area.header;
  const perBlock = refcountsPerBlock(format.clusterBits, refcountOrder);
  const clusters = Math.ceil(reader.sizeBytes / clusterSize) + 1;
  for (const [index, offset] of blocks.offsets.entries()) {
    const first = index * perBlock;
    const count = Math.min(perBlock, clusters - first);
    if (blocks.sound[index] !== 1 || count <= 0) continue;
    context.pause();
    const bytes = (await reader.readExactly(offset, clusterSize, "refcount block")).slice();
    if (!correct(context, bytes, first, count, repair)) continue;
    await host.write(offset, bytes, "refcount block");
  }
  await host.flush();
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
