import { viewOf } from "../bytes/big-endian.ts";
import { formatLimits } from "../header/layout.ts";
import type { SnapshotEntry } from "../snapshots/parse.ts";
import { entryOffset, hasReservedL1Bits, isCopied } from "../tables/l1-entry.ts";
import { reportError } from "./finding.ts";
import { clusterUse } from "./reference-map.ts";
import type { WalkContext } from "./walk-context.ts";

const chunkBytes = 1 << 20;

/** Counts the active L1 table and the L2 tables that it names. */
export async function walkActiveL1(context: WalkContext): Promise<void> {
  const { l1TableOffset: offset, l1Size } = context.area.header;
  context.addRange(offset, l1Size * 8, clusterUse.l1, 1, offset);
  await walkL1Entries(context, offset, l1Size, clusterUse.l2, 1);
}

/**
 * Counts the snapshots' L1 tables and the L2 tables that they name. Tables that several snapshots share are read once
 * and weighed, so that a small file cannot cause unbounded work.
 */
export async function walkSnapshotL1s(
  context: WalkContext,
  snapshots: readonly SnapshotEntry[],
): Promise<void> {
  const tables = new Map<string, { entry: SnapshotEntry; weight: number }>();
  for (const entry of snapshots) {
    const key = `${entry.l1Offset}:${entry.l1Size}`;
    const known = tables.get(key);
    if (known) known.weight++;
    else tables.set(key, { entry, weight: 1 });
  }
  for (const { entry, weight } of tables.values()) {
    if (!isPossibleL1(context, entry)) continue;
    const { l1Offset, l1Size, entryOffset: from } = entry;
    context.addRange(l1Offset, l1Size * 8, clusterUse.snapshotL1, weight, from);
    await walkL1Entries(context, l1Offset, l1Size, clusterUse.snapshotL2, weight);
  }
}

function isPossibleL1(context: WalkContext, entry: SnapshotEntry): boolean {
  const { l1Offset, l1Size, entryOffset: from } = entry;
  if (l1Offset % context.clusterSize !== 0 || !Number.isSafeInteger(l1Offset)) {
    context.misaligned("snapshot L1 table", l1Offset, from);
    return false;
  }
  if (l1Size > 0 && l1Offset + l1Size * 8 > context.reader.sizeBytes) {
    context.outOfFile(clusterUse.snapshotL1, l1Offset, l1Size * 8, from);
    return false;
  }
  if (l1Size * 8 > formatLimits.maxL1Bytes) {
    reportError(
      context.sink,
      "QCOW2_SNAPSHOT_INVALID",
      "snapshot table",
      from,
      `the snapshot entry at byte ${from} claims an L1 table of ${l1Size} entries`,
    );
    return false;
  }
  return true;
}

async function walkL1Entries(
  context: WalkContext,
  tableOffset: number,
  entries: number,
  use: number,
  weight: number,
): Promise<void> {
  const structure = use === clusterUse.l2 ? "L1 table" : "snapshot L1 table";
  for (let done = 0; done < entries * 8; done += chunkBytes) {
    context.pause();
    const start = tableOffset + done;
    const length = Math.min(chunkBytes, entries * 8 - done);
    const view = viewOf(await context.reader.readExactly(start, length, structure));
    for (let at = 0; at < length; at += 8) {
      const high = view.getUint32(at);
      const low = view.getUint32(at + 4);
      if (high !== 0 || low !== 0) walkL1Entry(context, high, low, start + at, use, weight);
    }
  }
}

function walkL1Entry(
  context: WalkContext,
  high: number,
  low: number,
  from: number,
  use: number,
  weight: number,
): void {
  const isActive = use === clusterUse.l2;
  if (hasReservedL1Bits(high, low)) {
    context.reservedBits(isActive ? "L1 table" : "snapshot L1 table", from);
  }
  const offset = entryOffset(high, low);
  if (offset === 0) return;
  if (offset % context.clusterSize !== 0) {
    context.misaligned(isActive ? "L2 table" : "snapshot L2 table", offset, from);
    return;
  }
  if (offset + context.clusterSize > context.reader.sizeBytes) {
    context.outOfFile(use, offset, context.clusterSize, from);
    return;
  }
  const claim = isCopied(high) ? clusterUse.claimedCopied : clusterUse.claimedShared;
  context.addCluster(offset, isActive ? use | claim : use, weight, from);
}
