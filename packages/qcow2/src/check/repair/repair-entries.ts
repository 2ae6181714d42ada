import type { RandomAccess } from "@box/io";
import { viewOf } from "../../bytes/big-endian.ts";
import { hasReservedL1Bits } from "../../tables/l1-entry.ts";
import { hasReservedL2Bits } from "../../tables/l2-entry.ts";
import { HostFile } from "../../write/host-file.ts";
import type { CheckImageOptions } from "../check-options.ts";
import { type CheckRun, runCheck } from "../check-run.ts";
import { clusterUse, useMask } from "../reference-map.ts";
import type { WalkContext } from "../walk-context.ts";

/** Entries that one repair corrects; the next one takes the rest. */
const maxCorrections = 1_000_000;

/** Entries that are this near to each other are read and written together. */
const chunkBytes = 65536;

/** Where an entry stands, and its table. */
interface EntryPlace {
  readonly entryAt: number;
  readonly tableOffset: number;
}

/** Changes an entry in place, given as a view on its first eight bytes; says whether it did. */
type EntryChange = (entry: DataView, place: EntryPlace) => boolean;

/**
 * Takes damaged pointers out of entries that read as zeros anyway, as those of preallocated clusters do. What they named
 * is free afterwards.
 *
 * @returns Whether anything was written.
 */
export async function clearUselessPointers(
  source: RandomAccess,
  { sink }: CheckRun,
  options: CheckImageOptions,
): Promise<boolean> {
  if (!sink.codes.has("QCOW2_MISALIGNED") && !sink.codes.has("QCOW2_OUT_OF_FILE")) return false;
  const places: EntryPlace[] = [];
  const { context } = await runCheck(source, options, {
    uselessPointer: (entryAt, tableOffset) => collect(places, { entryAt, tableOffset }),
  });
  return changeEntries(context, places, (entry) => {
    entry.setUint32(0, 0);
    // With subclusters, what is zero stands in the second half of the entry.
    entry.setUint32(4, context.format.hasExtendedL2 ? 0 : 1);
    return true;
  });
}

/**
 * Corrects the copied bit where it is wrong, in tables that are nothing else at the same time. An entry with reserved bits
 * is left alone: it may be no entry.
 *
 * @returns Whether anything was written.
 */
export async function correctCopiedBits(
  source: RandomAccess,
  { sink }: CheckRun,
  options: CheckImageOptions,
): Promise<boolean> {
  if (!sink.codes.has("QCOW2_COPIED_BIT_WRONG")) return false;
  const places: EntryPlace[] = [];
  const { context } = await runCheck(source, options, {
    wrongCopiedBit: (entryAt, tableOffset) => collect(places, { entryAt, tableOffset }),
  });
  return changeEntries(context, places, (entry, { tableOffset }) => {
    const high = entry.getUint32(0);
    const low = entry.getUint32(4);
    const isL1 = tableOffset === context.area.header.l1TableOffset;
    const isOdd = isL1
      ? hasReservedL1Bits(high, low)
      : hasReservedL2Bits(high, low, context.format);
    if (!isOdd) entry.setUint32(0, (high ^ 0x80000000) >>> 0);
    return !isOdd;
  });
}

function collect(places: EntryPlace[], place: EntryPlace): void {
  if (places.length < maxCorrections) places.push(place);
}

/** Changes entries: only where their table is a table and nothing else, else what is written might be data. */
async function changeEntries(
  context: WalkContext,
  places: readonly EntryPlace[],
  change: EntryChange,
): Promise<boolean> {
  const host = new HostFile(context.reader, undefined);
  const chunks = new Map<number, EntryPlace[]>();
  for (const place of places.filter(({ tableOffset }) => isOnlyTable(context, tableOffset))) {
    const chunk = Math.floor(place.entryAt / chunkBytes);
    const others = chunks.get(chunk);
    if (others) others.push(place);
    else chunks.set(chunk, [place]);
  }
  let isChanged = false;
  for (const chunk of chunks.values()) {
    context.pause();
    isChanged = (await changeChunk(context, host, chunk, change)) || isChanged;
  }
  await host.flush();
  return isChanged;
}

/** Changes neighbouring entries in one write, from the first one that changes to the last. */
async function changeChunk(
  { reader }: WalkContext,
  host: HostFile,
  places: readonly EntryPlace[],
  change: EntryChange,
): Promise<boolean> {
  const ordered = places.toSorted((a, b) => a.entryAt - b.entryAt);
  const first = (ordered[0] as EntryPlace).entryAt;
  const length = (ordered.at(-1) as EntryPlace).entryAt + 8 - first;
  const bytes = (await reader.readExactly(first, length, "L2 table")).slice();
  const changed = ordered.filter((place) => {
    const at = place.entryAt - first;
    return change(viewOf(bytes.subarray(at, at + 8)), place);
  });
  if (changed.length === 0) return false;
  const start = (changed[0] as EntryPlace).entryAt;
  const end = (changed.at(-1) as EntryPlace).entryAt + 8;
  await host.write(start, bytes.subarray(start - first, end - first), "L2 table");
  return true;
}

function isOnlyTable({ references, clusterSize }: WalkContext, tableOffset: number): boolean {
  if (tableOffset % clusterSize !== 0) return false;
  const uses = references.usesAt(tableOffset / clusterSize) & useMask;
  return uses === clusterUse.l1 || (uses & ~(clusterUse.l2 | clusterUse.snapshotL2)) === 0;
}
