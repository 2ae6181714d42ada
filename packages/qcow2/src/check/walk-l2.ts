import { viewOf } from "../bytes/big-endian.ts";
import { entryOffset, isCopied } from "../tables/l1-entry.ts";
import { compressedRange, hasReservedL2Bits, l2EntryKind } from "../tables/l2-entry.ts";
import { reportError } from "./finding.ts";
import { clusterUse, pageClusters } from "./reference-map.ts";
import type { WalkContext } from "./walk-context.ts";

const runBytes = 1 << 20;

/** An L2 table that was found by walking the L1 tables. */
interface L2Table {
  readonly offset: number;
  readonly weight: number;
  readonly isActive: boolean;
}

/** Reads every L2 table found so far, each once and in file order, and counts the clusters that it names. */
export async function walkL2Tables(context: WalkContext): Promise<void> {
  for (const run of l2Runs(context)) {
    context.pause();
    const first = run[0]?.offset ?? 0;
    const bytes = await context.reader.readExactly(
      first,
      run.length * context.clusterSize,
      "L2 table",
    );
    for (const [index, table] of run.entries()) {
      const start = index * context.clusterSize;
      walkL2Table(context, bytes.subarray(start, start + context.clusterSize), table);
    }
  }
}

/** Groups neighbouring tables so that one read brings several. */
function* l2Runs(context: WalkContext): Generator<L2Table[]> {
  const maxTables = Math.max(1, Math.floor(runBytes / context.clusterSize));
  let run: L2Table[] = [];
  for (const table of l2Tables(context)) {
    const previous = run.at(-1);
    const isNext = previous?.offset === table.offset - context.clusterSize;
    if (run.length > 0 && (!isNext || run.length === maxTables)) {
      yield run;
      run = [];
    }
    run.push(table);
  }
  if (run.length > 0) yield run;
}

function* l2Tables(context: WalkContext): Generator<L2Table> {
  const anyL2 = clusterUse.l2 | clusterUse.snapshotL2;
  for (const pageIndex of context.references.pageIndexes()) {
    const page = context.references.page(pageIndex);
    if (page === undefined) continue;
    // Tables are taken from a copy: walking one marks data in the same pages, and a hostile one other tables.
    const uses = page.uses.slice();
    const counts = page.counts.slice();
    for (let index = 0; index < pageClusters; index++) {
      const use = uses[index] ?? 0;
      if ((use & anyL2) === 0) continue;
      yield {
        offset: (pageIndex * pageClusters + index) * context.clusterSize,
        weight: counts[index] ?? 0,
        isActive: (use & clusterUse.l2) !== 0,
      };
    }
  }
}

function walkL2Table(context: WalkContext, bytes: Uint8Array, table: L2Table): void {
  const view = viewOf(bytes);
  const entryBytes = context.format.hasExtendedL2 ? 16 : 8;
  for (let at = 0; at < bytes.byteLength; at += entryBytes) {
    const high = view.getUint32(at);
    const low = view.getUint32(at + 4);
    const from = table.offset + at;
    if (context.format.hasExtendedL2) {
      walkSubclusters(context, high, low, view.getUint32(at + 8), view.getUint32(at + 12), from);
    }
    if (high !== 0 || low !== 0) walkL2Entry(context, high, low, from, table);
  }
}

function walkL2Entry(
  context: WalkContext,
  high: number,
  low: number,
  from: number,
  table: L2Table,
): void {
  const { format } = context;
  const kind = l2EntryKind(high, low, format);
  if (kind === "compressed") {
    walkCompressedEntry(context, high, low, from, table);
    return;
  }
  if (hasReservedL2Bits(high, low, format)) context.reservedBits("L2 table", from);
  if (kind === "unallocated" || kind === "zero") return;
  const offset = entryOffset(high, low);
  if (offset % context.clusterSize !== 0) {
    context.misaligned("data cluster", offset, from);
    return;
  }
  if (format.hasDataFile) return;
  const claim = isCopied(high) ? clusterUse.claimedCopied : clusterUse.claimedShared;
  const use = table.isActive ? clusterUse.data | claim : clusterUse.data;
  context.addCluster(offset, use, table.weight, from);
}

function walkCompressedEntry(
  context: WalkContext,
  high: number,
  low: number,
  from: number,
  table: L2Table,
): void {
  if (isCopied(high)) {
    compressedError(context, from, "has the copied bit set");
  }
  if (context.format.hasDataFile) {
    compressedError(context, from, "stands in an image with an external data file");
    return;
  }
  const { offset, lengthBytes } = compressedRange(high, low, context.format.clusterBits);
  if (offset >= context.reader.sizeBytes) {
    context.outOfFile(clusterUse.compressed, offset, lengthBytes, from);
    return;
  }
  context.addRange(offset, lengthBytes, clusterUse.compressed, table.weight, from);
}

function walkSubclusters(
  context: WalkContext,
  high: number,
  low: number,
  zeroBits: number,
  allocatedBits: number,
  from: number,
): void {
  const kind = l2EntryKind(high, low, context.format);
  if (kind === "compressed") {
    if (zeroBits !== 0 || allocatedBits !== 0) {
      compressedError(context, from, "has a subcluster bitmap");
    }
    return;
  }
  const hasNoHome = kind === "unallocated" && allocatedBits !== 0;
  if ((zeroBits & allocatedBits) === 0 && !hasNoHome) return;
  reportError(
    context.sink,
    "QCOW2_SUBCLUSTERS_INVALID",
    "L2 table",
    from,
    hasNoHome
      ? `the L2 entry at byte ${from} has allocated subclusters but no cluster`
      : `the L2 entry at byte ${from} has subclusters that are allocated and zero at once`,
  );
}

function compressedError(context: WalkContext, from: number, problem: string): void {
  reportError(
    context.sink,
    "QCOW2_COMPRESSED_ENTRY_INVALID",
    "L2 table",
    from,
    `the compressed L2 entry at byte ${from} ${problem}`,
  );
}
