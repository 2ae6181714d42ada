import { viewOf } from "../bytes/big-endian.ts";
import { entryOffset, isCopied } from "../tables/l1-entry.ts";
import { compressedRange, hasReservedL2Bits, l2EntryKind } from "../tables/l2-entry.ts";
import type { L2Queue, L2Table } from "./l2-queue.ts";
import { l2Runs, readAhead } from "./l2-runs.ts";
import { clusterUse } from "./reference-map.ts";
import type { WalkContext } from "./walk-context.ts";

/** Reads every L2 table found so far, each once and in file order, and counts the clusters that it names. */
export async function walkL2Tables(context: WalkContext, queue: L2Queue): Promise<void> {
  const runs = l2Runs(queue.tables(), context.clusterSize);
  for await (const { run, bytes } of readAhead(context, runs)) {
    context.pause();
    for (const table of run.tables) {
      const start = table.offset - run.offset;
      context.weight = table.activeWeight + table.snapshotWeight;
      new L2Walk(context, table).walk(bytes.subarray(start, start + context.clusterSize));
    }
  }
  context.weight = 1;
}

/** One walk over the entries of an L2 table. */
class L2Walk {
  readonly #context: WalkContext;
  readonly #table: L2Table;
  /** What the entries claim with bit 63 is looked at in tables of the active disk only. */
  readonly #copied: number;
  readonly #shared: number;
  #nextOffset = 0;

  constructor(context: WalkContext, table: L2Table) {
    this.#context = context;
    this.#table = table;
    const isActive = table.activeWeight > 0;
    this.#copied = clusterUse.data | (isActive ? clusterUse.claimedCopied : 0);
    this.#shared = clusterUse.data | (isActive ? clusterUse.claimedShared : 0);
  }

  walk(bytes: Uint8Array): void {
    const { hasExtendedL2, hasDataFile } = this.#context.format;
    const view = viewOf(bytes);
    if (hasExtendedL2 || hasDataFile) {
      const entryBytes = hasExtendedL2 ? 16 : 8;
      for (let at = 0; at < bytes.byteLength; at += entryBytes) this.#entry(view, at);
    } else this.#plainTable(view, bytes.byteLength);
  }

  /** The common table: most entries are clusters inside the file with nothing wrong about them. */
  #plainTable(view: DataView, lengthBytes: number): void {
    const { references, weight, clusterSize, reader, format } = this.#context;
    const { clusterBits } = format;
    const fileClusters = Math.min(2 ** 31, Math.floor(reader.sizeBytes / clusterSize));
    const isActive = this.#table.activeWeight > 0;
    const smallHigh = 1 << (clusterBits - 1);
    const unusedBits = clusterSize - 1;
    let nextCluster = -1;
    let allocated = 0;
    let fragmented = 0;
    for (let at = 0; at < lengthBytes; at += 8) {
      const high = view.getUint32(at);
      const low = view.getUint32(at + 4);
      if (high === 0 && low === 0) continue;
      const host = high & 0x7fffffff;
      const cluster = (host << (32 - clusterBits)) | (low >>> clusterBits);
      const isPlain = host < smallHigh && (low & unusedBits) === 0 && cluster < fileClusters;
      if (!isPlain || cluster === 0) {
        this.#nextOffset = nextCluster < 0 ? 0 : nextCluster * clusterSize;
        this.#entry(view, at);
        nextCluster = this.#nextOffset === 0 ? -1 : this.#nextOffset / clusterSize;
        continue;
      }
      allocated++;
      if (nextCluster >= 0 && cluster !== nextCluster) fragmented++;
      nextCluster = cluster + 1;
      const use = high === host ? this.#shared : this.#copied;
      const clash = references.addSmall(cluster, use, weight);
      if (clash !== 0) this.#context.overlap(cluster * clusterSize, clash, use);
    }
    if (isActive) this.#count(allocated, fragmented);
  }

  #count(allocated: number, fragmented: number): void {
    const { tally } = this.#context;
    tally.allocatedClusters += allocated * this.#table.activeWeight;
    tally.fragmentedClusters += fragmented * this.#table.activeWeight;
  }

  #entry(view: DataView, at: number): void {
    const { format } = this.#context;
    const high = view.getUint32(at);
    const low = view.getUint32(at + 4);
    const zeroBits = format.hasExtendedL2 ? view.getUint32(at + 8) : 0;
    const allocatedBits = format.hasExtendedL2 ? view.getUint32(at + 12) : 0;
    const from = this.#table.offset + at;
    const kind = l2EntryKind(high, low, format);
    if (kind === "compressed") {
      this.#compressedEntry(high, low, zeroBits !== 0 || allocatedBits !== 0, from);
      return;
    }
    if (hasReservedL2Bits(high, low, format)) {
      // QEMU's check lets the zero flag pass where there is none: in version 2 and with subclusters.
      const isZeroFlag = !hasReservedL2Bits(high, low & ~1, format);
      this.#context.reservedBits("L2 table", from, isZeroFlag);
    }
    if (kind === "unallocated") {
      if (allocatedBits !== 0) this.#subclusterError(from, "allocated subclusters but no cluster");
    } else if (kind !== "zero") {
      const isWrong = (zeroBits & allocatedBits) !== 0;
      if (isWrong) this.#subclusterError(from, "subclusters that are allocated and zero at once");
      if (kind === "zero-allocated" || (format.hasExtendedL2 && allocatedBits === 0)) {
        this.#pointerOfZeros(entryOffset(high, low), from);
      }
      this.#dataEntry(high, low, from);
    }
  }

  /** A cluster that reads as zeros loses nothing with a damaged pointer. */
  #pointerOfZeros(offset: number, from: number): void {
    const { clusterSize, reader, format, hooks } = this.#context;
    const isInFile = format.hasDataFile || offset < reader.sizeBytes;
    if (offset % clusterSize === 0 && isInFile) return;
    hooks.uselessPointer?.(from, this.#table.offset);
  }

  #dataEntry(high: number, low: number, from: number): void {
    const { clusterSize, format, weight } = this.#context;
    const offset = entryOffset(high, low);
    const isAligned = offset % clusterSize === 0;
    if (!isAligned) this.#context.misaligned("data cluster", offset, from);
    if (this.#table.activeWeight > 0) {
      const isFragment = this.#nextOffset !== 0 && offset !== this.#nextOffset;
      this.#count(1, isFragment ? 1 : 0);
      this.#nextOffset = offset + clusterSize;
    }
    if (format.hasDataFile) this.#dataFileEntry(high, from);
    else {
      const use = isCopied(high) ? this.#copied : this.#shared;
      if (isAligned) this.#context.addCluster(offset, use, weight, from);
      else this.#context.addMisaligned(offset, use, weight, from);
    }
  }

  /** Clusters of an external data file have no refcounts; their entries always say that it is 1. */
  #dataFileEntry(high: number, from: number): void {
    // The "table" in the header's cluster is none, only an L1 entry with flags and no offset.
    if (isCopied(high) || this.#table.activeWeight === 0 || this.#table.offset === 0) return;
    const message = `the L2 entry at byte ${from} names a cluster of the external data file without the copied bit`;
    const problem = {
      code: "QCOW2_COPIED_BIT_WRONG",
      structure: "L2 table",
      offset: from,
    } as const;
    this.#context.report({ ...problem, message }, this.#table.activeWeight);
    this.#context.hooks.wrongCopiedBit?.(from, this.#table.offset);
  }

  #compressedEntry(high: number, low: number, hasBitmap: boolean, from: number): void {
    const context = this.#context;
    if (isCopied(high)) this.#compressedError(from, "has the copied bit set");
    if (context.format.hasDataFile) {
      this.#compressedError(from, "stands in an image with an external data file");
      return;
    }
    if (hasBitmap) {
      this.#compressedError(from, "has a subcluster bitmap");
      return;
    }
    const { offset, lengthBytes } = compressedRange(high, low, context.format.clusterBits);
    if (offset >= context.reader.sizeBytes) {
      context.outOfFile(clusterUse.compressed, offset, lengthBytes, from, 0);
    }
    context.addRange(offset, lengthBytes, clusterUse.compressed, context.weight, from);
    if (this.#table.activeWeight === 0) return;
    this.#count(1, 1);
    context.tally.compressedClusters += this.#table.activeWeight;
  }

  #subclusterError(from: number, problem: string): void {
    const message = `the L2 entry at byte ${from} has ${problem}`;
    const code = "QCOW2_SUBCLUSTERS_INVALID";
    this.#context.report({ code, structure: "L2 table", offset: from, message });
  }

  #compressedError(from: number, problem: string): void {
    const message = `the compressed L2 entry at byte ${from} ${problem}`;
    const code = "QCOW2_COMPRESSED_ENTRY_INVALID";
    this.#context.report({ code, structure: "L2 table", offset: from, message });
  }
}
