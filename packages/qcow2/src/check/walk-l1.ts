import { viewOf } from "../bytes/big-endian.ts";
import { formatLimits } from "../header/layout.ts";
import type { SnapshotEntry } from "../snapshots/parse.ts";
import { entryOffset, hasReservedL1Bits, isCopied } from "../tables/l1-entry.ts";
import type { L2Queue } from "./l2-queue.ts";
import { clusterUse } from "./reference-map.ts";
import type { WalkContext } from "./walk-context.ts";

const chunkBytes = 1 << 20;

/** Counts the active L1 table and the L2 tables that it names. */
export async function walkActiveL1(context: WalkContext, queue: L2Queue): Promise<void> {
  const { l1TableOffset: offset, l1Size } = context.area.header;
  context.addRange(offset, l1Size * 8, clusterUse.l1, 1, offset);
  await walkL1Entries(context, offset, l1Size, clusterUse.l2, queue);
}

/**
 * Counts the snapshots' L1 tables and the L2 tables that they name. Tables that several snapshots share are read once
 * and weighed, so that a small file cannot cause unbounded work.
 */
export async function walkSnapshotL1s(
  context: WalkContext,
  snapshots: readonly SnapshotEntry[],
  queue: L2Queue,
): Promise<void> {
  const tables = new Map<string, { entry: SnapshotEntry; weight: number }>();
  for (const entry of snapshots) {
    const key = `${entry.l1Offset}:${entry.l1Size}`;
    const known = tables.get(key);
    if (known) known.weight++;
    else tables.set(key, { entry, weight: 1 });
  }
  for (const { entry, weight } of tables.values()) {
    context.weight = weight;
    if (!isPossibleL1(context, entry)) continue;
    const { l1Offset, l1Size, entryOffset: from } = entry;
    context.addRange(l1Offset, l1Size * 8, clusterUse.snapshotL1, weight, from);
    await walkL1Entries(context, l1Offset, l1Size, clusterUse.snapshotL2, queue);
  }
  context.weight = 1;
}

function isPossibleL1(context: WalkContext, entry: SnapshotEntry): boolean {
  const { l1Offset, l1Size, entryOffset: from } = entry;
  if (entry.l1OffsetLow % context.clusterSize !== 0) {
    context.misaligned("snapshot L1 table", l1Offset, from);
    return false;
  }
  if (!Number.isSafeInteger(l1Offset) && l1Size > 0) {
    context.outOfFile(clusterUse.snapshotL1, l1Offset, l1Size * 8, from, context.weight);
    return false;
  }
  if (l1Size * 8 <= formatLimits.maxL1Bytes) return l1Size > 0;
  context.report({
    code: "QCOW2_SNAPSHOT_INVALID",
    structure: "snapshot table",
    offset: from,
    message: `the snapshot entry at byte ${from} claims an L1 table of ${l1Size} entries`,
  });
  return false;
}

async function walkL1Entries(
  context: WalkContext,
  tableOffset: number,
  entries: number,
  use: number,
  queue: L2Queue,
): Promise<void> {
  const lengthBytes = context.insideFile(tableOffset, entries * 8);
  if (lengthBytes < entries * 8 && !context.isPastEnd(tableOffset, entries * 8)) {
    const l1Use = use === clusterUse.l2 ? clusterUse.l1 : clusterUse.snapshotL1;
    context.outOfFile(l1Use, tableOffset, entries * 8, tableOffset, 0);
  }
  for (let done = 0; done < lengthBytes; done += chunkBytes) {
    context.pause();
    const start = tableOffset + done;
    const length = Math.min(chunkBytes, Math.ceil((lengthBytes - done) / 8) * 8);
    context.countEntries(length / 8);
    const view = viewOf(await context.readPadded(start, length));
    for (let at = 0; at < length; at += 8) {
      const high = view.getUint32(at);
      const low = view.getUint32(at + 4);
      if (high !== 0 || low !== 0) walkL1Entry(context, high, low, start + at, use, queue);
    }
  }
}

function walkL1Entry(
  context: WalkContext,
  high: number,
  low: number,
  from: number,
  use: number,
  queue: L2Queue,
): void {
  const isActive = use === clusterUse.l2;
  const { clusterSize, weight } = context;
  if (hasReservedL1Bits(high, low)) {
    context.reservedBits(isActive ? "L1 table" : "snapshot L1 table", from);
  }
  const offset = entryOffset(high, low);
  // An entry with flags alone names the header's cluster: an overlap, as in QEMU's check.
  const claimed = isActive ? context.claimed(use, isCopied(high)) : use;
  if (offset % clusterSize !== 0) {
    context.misaligned(isActive ? "L2 table" : "snapshot L2 table", offset, from);
    context.addMisaligned(offset, claimed, weight, from);
  } else {
    context.addCluster(offset, claimed, weight, from);
    const isCut = offset < context.reader.sizeBytes;
    if (isCut && offset + clusterSize > context.reader.sizeBytes) {
      context.outOfFile(use, offset, clusterSize, from, 0);
    }
  }
  if (offset >= context.reader.sizeBytes) return;
  const isFollowed = offset % clusterSize === 0 || queue.takeMisaligned(offset);
  if (isFollowed) queue.add(offset, weight, isActive);
}
