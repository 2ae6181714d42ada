import { viewOf, writeU64 } from "../bytes/big-endian.ts";
import type { MemoryBudget } from "../bytes/budget.ts";
import type { SourceReader } from "../bytes/source-reader.ts";
import type { Qcow2Structure } from "../errors.ts";
import { copiedFlagHigh, entryOffset, isCopied } from "../tables/l1-entry.ts";
import type { L2Format } from "../tables/l2-entry.ts";
import type { ImageStore } from "../write/image-store.ts";
import type { PlannedRefcounts } from "./planned-refcounts.ts";
import { namedTables, usedRanges } from "./references.ts";

/** What changing the references of L1 tables needs. */
export interface ReferenceParts {
  /** The image file. */
  readonly reader: SourceReader;
  /** How L2 entries are read. */
  readonly format: L2Format;
  /** Refcounts as they will be. */
  readonly planned: PlannedRefcounts;
  /** Takes new tables. */
  readonly store: ImageStore;
  /** Memory for tables. */
  readonly budget: MemoryBudget;
}

/** Counts everything that an L1 table reaches once more, or once less. */
export async function changeReferences(
  parts: ReferenceParts,
  l1: DataView,
  by: 1 | -1,
): Promise<void> {
  const { planned, format, budget } = parts;
  const clusterSize = 2 ** format.clusterBits;
  for (const { offset, weight } of namedTables(l1, clusterSize, l1Structure, budget)) {
    const table = await readTable(parts, offset);
    await planned.change(offset / clusterSize, by * weight);
    for (const used of usedRanges(table, offset, format)) {
      const end = used.offset + used.lengthBytes;
      for (
        let cluster = Math.floor(used.offset / clusterSize);
        cluster * clusterSize < end;
        cluster++
      ) {
        const pending = planned.change(cluster, by * weight);
        if (pending !== undefined) await pending;
      }
    }
  }
}

/**
 * Gives the disk L2 tables whose copied bits are as the planned refcounts want them. A table that has to change is
 * written to a new place; what else uses the old one keeps it.
 *
 * @param uses - How many L1 tables are about to name what the disk's names.
 * @returns The new places of the tables that were written anew.
 */
export async function correctCopiedBits(
  parts: ReferenceParts,
  l1: DataView,
  uses: number,
): Promise<Map<number, number>> {
  const { planned, format, store, budget } = parts;
  const clusterSize = 2 ** format.clusterBits;
  const moved = new Map<number, number>();
  for (const { offset, weight } of namedTables(l1, clusterSize, l1Structure, budget)) {
    const table = await readTable(parts, offset);
    if (!(await setCopiedBits(parts, table, offset))) continue;
    const place = await planned.allocate(1);
    await planned.change(place / clusterSize, uses * weight - 1);
    await planned.change(offset / clusterSize, -uses * weight);
    await store.writeFresh(
      place,
      new Uint8Array(table.buffer, table.byteOffset, clusterSize),
      "L2 table",
    );
    budget.take(movedBytes, "L2 table");
    moved.set(offset, place);
  }
  return moved;
}

/** An L1 table with its L2 tables at their new places, and with the copied bits that the planned refcounts want. */
export async function setL1Entries(
  { planned, format }: ReferenceParts,
  l1: DataView,
  moved: ReadonlyMap<number, number>,
  isActive: boolean,
): Promise<Uint8Array> {
  const clusterSize = 2 ** format.clusterBits;
  const bytes = new Uint8Array(l1.byteLength);
  const view = viewOf(bytes);
  for (let at = 0; at < l1.byteLength; at += 8) {
    const old = entryOffset(l1.getUint32(at), l1.getUint32(at + 4));
    if (old === 0) continue;
    const offset = moved.get(old) ?? old;
    writeU64(view, at, offset);
    const isUsedOnce = isActive && (await planned.get(offset / clusterSize)) === 1;
    if (isUsedOnce) view.setUint32(at, (view.getUint32(at) | copiedFlagHigh) >>> 0);
  }
  return bytes;
}

const l1Structure: Qcow2Structure = "L1 table";

/** Memory that a table's new place is taken to need. */
const movedBytes = 48;

/** @returns Whether any bit was wrong. */
async function setCopiedBits(
  { planned, format }: ReferenceParts,
  table: DataView,
  tableOffset: number,
): Promise<boolean> {
  let hasChanged = false;
  for (const { at, offset, isCompressed } of usedRanges(table, tableOffset, format)) {
    if (isCompressed) continue;
    const known = planned.get(offset / 2 ** format.clusterBits);
    const isUsedOnce = (typeof known === "number" ? known : await known) === 1;
    const high = table.getUint32(at);
    if (isUsedOnce === isCopied(high)) continue;
    table.setUint32(at, (high ^ copiedFlagHigh) >>> 0);
    hasChanged = true;
  }
  return hasChanged;
}

async function readTable({ reader, format }: ReferenceParts, offset: number): Promise<DataView> {
  return viewOf(await reader.readExactly(offset, 2 ** format.clusterBits, "L2 table"));
}
