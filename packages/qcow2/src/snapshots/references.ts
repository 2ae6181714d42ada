import type { MemoryBudget } from "../bytes/budget.ts";
import { Qcow2Error, type Qcow2Structure } from "../errors.ts";
import { entryOffset } from "../tables/l1-entry.ts";
import { compressedRange, type L2Format, l2EntryKind } from "../tables/l2-entry.ts";

/** An L2 table and how often an L1 table names it. */
export interface NamedTable {
  /** Where it is. */
  readonly offset: number;
  /** How often it is named; more than once only in a damaged image. */
  readonly weight: number;
}

/**
 * The L2 tables that an L1 table names, each once and in file order.
 *
 * @throws {@link Qcow2Error} `QCOW2_MISALIGNED` (corrupt), `QCOW2_METADATA_LIMIT`.
 */
export function namedTables(
  l1: DataView,
  clusterSize: number,
  structure: Qcow2Structure,
  budget: MemoryBudget,
): NamedTable[] {
  budget.take(l1.byteLength * 2, structure);
  const offsets = new Float64Array(l1.byteLength / 8);
  for (let index = 0; index < offsets.length; index++) {
    const offset = entryOffset(l1.getUint32(index * 8), l1.getUint32(index * 8 + 4));
    if (offset % clusterSize !== 0) throw misaligned(structure, index * 8, offset);
    offsets[index] = offset;
  }
  offsets.sort();
  const tables: NamedTable[] = [];
  for (let first = offsets.lastIndexOf(0) + 1; first < offsets.length; ) {
    const offset = offsets[first] as number;
    let end = first + 1;
    while (offsets[end] === offset) end++;
    tables.push({ offset, weight: end - first });
    first = end;
  }
  budget.give(l1.byteLength * 2);
  return tables;
}

/** What an L2 entry uses in the image file. */
export interface UsedRange {
  /** Byte of the entry in its table. */
  readonly at: number;
  /** First byte that it uses. */
  readonly offset: number;
  /** How many bytes. */
  readonly lengthBytes: number;
  /** Whether it is compressed: it has no copied bit then. */
  readonly isCompressed: boolean;
}

/**
 * What the entries of an L2 table use, in their order.
 *
 * @param tableOffset - Where the table is, for errors.
 * @throws {@link Qcow2Error} `QCOW2_MISALIGNED` (corrupt).
 */
export function* usedRanges(
  table: DataView,
  tableOffset: number,
  format: L2Format,
): Generator<UsedRange> {
  const clusterSize = 2 ** format.clusterBits;
  const entryBytes = format.hasExtendedL2 ? 16 : 8;
  for (let at = 0; at < table.byteLength; at += entryBytes) {
    const high = table.getUint32(at);
    const low = table.getUint32(at + 4);
    const kind = l2EntryKind(high, low, format);
    if (kind === "unallocated" || kind === "zero") continue;
    if (kind === "compressed") {
      yield { at, ...compressedRange(high, low, format.clusterBits), isCompressed: true };
      continue;
    }
    const offset = entryOffset(high, low);
    if (offset % clusterSize !== 0) throw misaligned("data cluster", tableOffset + at, offset);
    yield { at, offset, lengthBytes: clusterSize, isCompressed: false };
  }
}

function misaligned(structure: Qcow2Structure, from: number, offset: number): Qcow2Error {
  return new Qcow2Error({
    code: "QCOW2_MISALIGNED",
    message: `the table entry at byte ${from} names byte ${offset}, where no cluster starts`,
    offset: from,
    structure,
  });
}
