import { viewOf } from "../bytes/big-endian.ts";
import { entryOffset, isCopied } from "../tables/l1-entry.ts";
import { l2EntryKind } from "../tables/l2-entry.ts";
import type { L2Queue } from "./l2-queue.ts";
import { l2Runs, readAhead } from "./l2-runs.ts";
import { clusterUse, structureOfUse } from "./reference-map.ts";
import type { WalkContext } from "./walk-context.ts";

const chunkBytes = 1 << 20;

/**
 * Reports every entry of the active disk whose bit 63 does not say whether the refcount is exactly 1.
 *
 * Reads the active tables once more: while they were walked, the refcounts were not known yet. Call it when
 * `compareRefcounts` has left wrong claims.
 */
export async function reportCopiedBits(context: WalkContext, queue: L2Queue): Promise<void> {
  const { l1TableOffset, l1Size } = context.area.header;
  const l1Bytes = Math.floor(context.insideFile(l1TableOffset, l1Size * 8) / 8) * 8;
  for (let done = 0; done < l1Bytes; done += chunkBytes) {
    context.pause();
    const length = Math.min(chunkBytes, l1Bytes - done);
    const view = viewOf(await context.readPadded(l1TableOffset + done, length));
    for (let at = 0; at < length; at += 8) {
      const high = view.getUint32(at);
      const offset = entryOffset(high, view.getUint32(at + 4));
      if (offset === 0) continue;
      judge(context, high, offset, l1TableOffset + done + at, 1);
    }
  }
  if (!context.format.hasDataFile) await reportL2Entries(context, queue);
}

async function reportL2Entries(context: WalkContext, queue: L2Queue): Promise<void> {
  const { format, clusterSize } = context;
  const entryBytes = format.hasExtendedL2 ? 16 : 8;
  for await (const { run, bytes } of readAhead(context, l2Runs(queue.tables(), clusterSize))) {
    context.pause();
    for (const { offset: tableOffset, activeWeight } of run.tables) {
      if (activeWeight === 0) continue;
      const start = tableOffset - run.offset;
      const view = viewOf(bytes.subarray(start, start + clusterSize));
      for (let at = 0; at < clusterSize; at += entryBytes) {
        const high = view.getUint32(at);
        const low = view.getUint32(at + 4);
        const kind = l2EntryKind(high, low, format);
        if (kind !== "normal" && kind !== "zero-allocated") continue;
        const target = entryOffset(high, low);
        judge(context, high, target, tableOffset + at, activeWeight);
      }
    }
  }
}

function judge(
  context: WalkContext,
  high: number,
  target: number,
  entryAt: number,
  weight: number,
): void {
  const { references, clusterSize } = context;
  const cluster = Math.floor(target / clusterSize);
  const isSet = isCopied(high);
  const uses = references.usesAt(cluster);
  const wrong = isSet ? clusterUse.claimedCopied : clusterUse.claimedShared;
  // What lies behind the end of the file has no refcount.
  const isUncounted = isSet && references.countAt(cluster) === 0;
  if ((uses & wrong) === 0 && !isUncounted) return;
  const offset = cluster * clusterSize;
  const problem = `has the copied bit ${isSet ? "set" : "clear"}, but the refcount is ${isSet ? "not " : ""}1`;
  const message = `the entry at byte ${entryAt} for the cluster at byte ${offset} ${problem}`;
  const structure = structureOfUse(uses);
  context.report({ code: "QCOW2_COPIED_BIT_WRONG", structure, offset, message }, weight);
}
