import { Qcow2Error, type Qcow2ErrorCode, type Qcow2Structure } from "../errors.ts";
import { entryOffset } from "../tables/l1-entry.ts";
import {
  compressedRange,
  type L2EntryKind,
  type L2Format,
  l2EntryKind,
} from "../tables/l2-entry.ts";
import type { TableCache } from "../tables/table-cache.ts";
import { joinRuns, type Run } from "./run.ts";
import { type SubclusterRange, subclusterRange } from "./subclusters.ts";

/** A virtual disk in an image: the active one or a snapshot's. */
export interface DiskView {
  /** Where its L1 table is. */
  readonly l1Offset: number;
  /** Entries of its L1 table. */
  readonly l1Entries: number;
  /** Size in bytes. */
  readonly sizeBytes: number;
}

/** How long the files are now. */
export interface FileSizes {
  /** The image. */
  readonly image: () => number;
  /** What holds its data: the image itself, or its data file. */
  readonly data: () => number;
}

/** A table that must be loaded before a mapping can go on. */
interface MissingTable {
  readonly missing: Qcow2Structure;
  readonly offset: number;
}

/** The slices of tables that one mapping has loaded. */
type HeldTables = Map<Qcow2Structure, DataView>;

/** L2 tables that are loaded before they are needed. */
const tablesAhead = 8;

/** Finds where the virtual disk's bytes are stored. Reads L1 and L2 tables through the cache and changes nothing. */
export class ClusterMap {
  readonly #cache: TableCache;
  readonly #format: L2Format;
  readonly #view: DiskView;
  readonly #fileSize: () => number;
  readonly #dataFileSize: () => number;
  readonly #isStrict: boolean;
  readonly #entryBytes: number;
  readonly #l2Entries: number;

  constructor(
    cache: TableCache,
    format: L2Format,
    view: DiskView,
    sizes: FileSizes,
    isStrict: boolean,
  ) {
    this.#cache = cache;
    this.#format = format;
    this.#view = view;
    this.#fileSize = sizes.image;
    this.#dataFileSize = sizes.data;
    this.#isStrict = isStrict;
    this.#entryBytes = format.hasExtendedL2 ? 16 : 8;
    this.#l2Entries = 2 ** format.clusterBits / this.#entryBytes;
  }

  /** Maps a range, in order and joined where neighbours are stored next to each other. */
  async runs(start: number, length: number): Promise<Run[]> {
    const runs: Run[] = [];
    for (let at = start; at < start + length; ) {
      const run = await this.next(at, start + length - at);
      at += run.length;
      const previous = runs.at(-1);
      const joined = previous && joinRuns(previous, run);
      if (joined) runs[runs.length - 1] = joined;
      else runs.push(run);
    }
    return runs;
  }

  /** Maps as much of a range as one slice of an L2 table says in one go; at least one byte. */
  async next(start: number, length: number): Promise<Run> {
    const held: HeldTables = new Map();
    let { version } = this.#cache;
    for (;;) {
      const found = this.peekNext(start, length, held);
      if (!("missing" in found)) return found;
      const slice = await this.#cache.load(found.offset, found.missing);
      // Other reads may push a slice out before the next one is there; as long as nothing changes, it is still right.
      if (version !== this.#cache.version) held.clear();
      else held.set(found.missing, slice);
      version = this.#cache.version;
    }
  }

  /** Starts loading the L2 tables of the parts of the disk behind `start`, so that they are there when they are asked for. */
  loadAhead(start: number): void {
    const tableBytes = this.#l2Entries * 2 ** this.#format.clusterBits;
    const next = Math.floor(start / tableBytes) + 1;
    // What is loaded must not push out what is needed first.
    const most = Math.min(tablesAhead, this.#cache.maxSlices >> 2);
    for (let l1Index = next; l1Index < next + most; l1Index++) {
      if (l1Index >= this.#view.l1Entries) return;
      const l1At = this.#view.l1Offset + l1Index * 8;
      const l1 = this.#cache.peek(l1At);
      if (l1 === undefined) return;
      const within = l1At % this.#cache.sliceBytes;
      const offset = entryOffset(l1.getUint32(within), l1.getUint32(within + 4));
      if (offset === 0 || offset % 2 ** this.#format.clusterBits !== 0) continue;
      if (this.#cache.has(offset)) continue;
      // Whoever needs the table sees the failure.
      this.#cache.load(offset, "L2 table").catch(() => {});
    }
  }

  /**
   * Like {@link next}, without waiting: when a table is not in memory, says which.
   *
   * @param held - Slices for this start that need not be in memory any more.
   */
  peekNext(start: number, length: number, held?: HeldTables): Run | MissingTable {
    const clusterSize = 2 ** this.#format.clusterBits;
    const cluster = Math.floor(start / clusterSize);
    const l1Index = Math.floor(cluster / this.#l2Entries);
    const l2Index = cluster % this.#l2Entries;
    const tableEnd = (l1Index + 1) * this.#l2Entries * clusterSize;
    // A snapshot's L1 table may be shorter than its disk.
    if (l1Index >= this.#view.l1Entries) return unallocated(start, length);
    const l1At = this.#view.l1Offset + l1Index * 8;
    const l1 = this.#cache.peek(l1At) ?? held?.get("L1 table");
    if (l1 === undefined) return { missing: "L1 table", offset: l1At };
    const within = l1At % this.#cache.sliceBytes;
    const l2Offset = entryOffset(l1.getUint32(within), l1.getUint32(within + 4));
    if (l2Offset === 0) return unallocated(start, Math.min(length, tableEnd - start));
    if (l2Offset % clusterSize !== 0) {
      throw mapError(
        "QCOW2_MISALIGNED",
        "L2 table",
        l1At,
        "the L1 entry names a misaligned L2 table",
      );
    }
    const l2At = l2Offset + l2Index * this.#entryBytes;
    const l2 = this.#cache.peek(l2At) ?? held?.get("L2 table");
    if (l2 === undefined) return { missing: "L2 table", offset: l2At };
    return this.#scan(l2, l2At, start, length);
  }

  /** Goes on through the slice while entries say the same kind and contiguous places. */
  #scan(slice: DataView, entryAt: number, start: number, length: number): Run {
    const { sliceBytes } = this.#cache;
    const clusterSize = 2 ** this.#format.clusterBits;
    const end = start + length;
    let run = this.#entryRun(slice, entryAt, start, end);
    const first = start - (start % clusterSize);
    const isAhead = (): boolean => run.start + run.length < end && this.#endsCluster(run);
    while (isAhead()) {
      const done = Math.ceil((run.start + run.length - first) / clusterSize);
      const at = entryAt + done * this.#entryBytes;
      // A slice ends at a multiple of its length, and so does the part of a table that is in it.
      const left = (sliceBytes - (entryAt % sliceBytes)) / this.#entryBytes - done;
      if (left <= 0) break;
      const wanted = Math.min(left, Math.ceil((end - run.start - run.length) / clusterSize));
      const same = this.#countSame(slice, at % sliceBytes, run, wanted);
      if (same > 0) {
        const most = end - run.start;
        run = { ...run, length: Math.min(most, run.length + same * clusterSize) };
        continue;
      }
      const joined = joinRuns(run, this.#entryRun(slice, at, run.start + run.length, end));
      if (joined === undefined) break;
      run = joined;
    }
    return run;
  }

  /**
   * How many entries plainly go on with a run: no flag that needs a look, no offset that needs a check. What it does not
   * know is looked at one by one.
   */
  #countSame(slice: DataView, from: number, run: Run, wanted: number): number {
    const { hasExtendedL2, hasDataFile, version, clusterBits } = this.#format;
    if (hasExtendedL2 || hasDataFile || run.kind === "compressed") return 0;
    let count = 0;
    if (run.kind === "data") {
      const clusterSize = 2 ** clusterBits;
      let expected = run.hostOffset + run.length;
      const inside = this.#isStrict
        ? Math.ceil((this.#fileSize() - expected) / clusterSize)
        : wanted;
      const most = Math.min(wanted, inside);
      for (; count < most; count++, expected += clusterSize) {
        const high = slice.getUint32(from + count * 8);
        // Bit 63 says nothing about the place.
        if ((high & 0x7fffffff) * 2 ** 32 + slice.getUint32(from + count * 8 + 4) !== expected)
          break;
      }
      return count;
    }
    if (run.hostOffset >= 0) return 0;
    const low = run.kind === "zero" ? 1 : 0;
    if (low === 1 && version === 2) return 0;
    while (
      count < wanted &&
      slice.getUint32(from + count * 8 + 4) === low &&
      slice.getUint32(from + count * 8) === 0
    ) {
      count++;
    }
    return count;
  }

  #endsCluster(run: Run): boolean {
    return (run.start + run.length) % 2 ** this.#format.clusterBits === 0;
  }

  /** What one entry says about the bytes from `start` to the end of its cluster or to `end`. */
  #entryRun(slice: DataView, entryAt: number, start: number, end: number): Run {
    const clusterSize = 2 ** this.#format.clusterBits;
    const within = start % clusterSize;
    const length = Math.min(clusterSize - within, end - start);
    const position = entryAt % this.#cache.sliceBytes;
    const high = slice.getUint32(position);
    const low = slice.getUint32(position + 4);
    const kind = l2EntryKind(high, low, this.#format);
    if (kind === "compressed") return this.#compressedRun(high, low, entryAt, start, length);
    const host = this.#hostOffset(high, low, kind, entryAt, start - within);
    if (!this.#format.hasExtendedL2) {
      return this.#inDataFile(plainRun(kind, host, start, length, within), host);
    }
    const bitmaps = {
      zero: slice.getUint32(position + 8),
      allocated: slice.getUint32(position + 12),
    };
    const range = subclusterRange(bitmaps, within, length, clusterSize, host >= 0);
    if (range.kind === "invalid") {
      throw mapError(
        "QCOW2_SUBCLUSTERS_INVALID",
        "L2 table",
        entryAt,
        "the subcluster bitmap contradicts itself",
      );
    }
    return this.#inDataFile(subclusterRun(range, host, start, within), host);
  }

  /** Refuses data in a cluster that begins past the end of an external data file: the file has lost it. */
  #inDataFile(run: Run, host: number): Run {
    const { hasDataFile } = this.#format;
    if (!hasDataFile || !this.#isStrict || run.kind !== "data") return run;
    const sizeBytes = this.#dataFileSize();
    if (host < sizeBytes) return run;
    throw new Qcow2Error({
      code: "QCOW2_OUT_OF_FILE",
      message: `the data of guest byte ${host} is past the end of the external data file, which has ${sizeBytes} bytes`,
      structure: "data cluster",
      details: { dataFileOffset: host, dataFileSizeBytes: sizeBytes },
      hint: "the data file was cut: restore it",
    });
  }

  #compressedRun(high: number, low: number, entryAt: number, start: number, length: number): Run {
    const { clusterBits, hasDataFile } = this.#format;
    if (hasDataFile) {
      throw mapError(
        "QCOW2_COMPRESSED_ENTRY_INVALID",
        "L2 table",
        entryAt,
        "a compressed cluster stands in an image with an external data file",
      );
    }
    const { offset, lengthBytes } = compressedRange(high, low, clusterBits);
    if (offset >= this.#fileSize()) throw this.#outOfFile("compressed cluster", offset, entryAt);
    return { kind: "compressed", start, length, hostOffset: offset, storedBytes: lengthBytes };
  }

  /** The host offset of an entry's cluster, checked; -1 when it has none. */
  #hostOffset(
    high: number,
    low: number,
    kind: L2EntryKind,
    entryAt: number,
    clusterStart: number,
  ): number {
    if (kind === "zero" || kind === "unallocated") {
      this.#requireZeroFlagAllowed(kind, entryAt);
      return -1;
    }
    this.#requireZeroFlagAllowed(kind, entryAt);
    const offset = entryOffset(high, low);
    if (offset % 2 ** this.#format.clusterBits !== 0) {
      throw mapError(
        "QCOW2_MISALIGNED",
        "data cluster",
        entryAt,
        "the L2 entry names a misaligned cluster",
      );
    }
    if (this.#format.hasDataFile) {
      if (offset === clusterStart) return offset;
      throw mapError(
        "QCOW2_DATA_FILE_OFFSET_WRONG",
        "L2 table",
        entryAt,
        `the L2 entry puts guest byte ${clusterStart} at byte ${offset} of the external data file`,
      );
    }
    if (kind === "normal" && this.#isStrict && offset >= this.#fileSize()) {
      throw this.#outOfFile("data cluster", offset, entryAt);
    }
    return offset;
  }

  #requireZeroFlagAllowed(kind: L2EntryKind, entryAt: number): void {
    if (this.#format.version === 3 || kind === "normal" || kind === "unallocated") return;
    throw mapError(
      "QCOW2_RESERVED_BITS",
      "L2 table",
      entryAt,
      "the L2 entry has the zero flag, which version 2 does not have",
    );
  }

  #outOfFile(structure: Qcow2Structure, offset: number, entryAt: number): Qcow2Error {
    return mapError(
      "QCOW2_OUT_OF_FILE",
      structure,
      entryAt,
      `the L2 entry puts a ${structure} at byte ${offset}, past the end of the file (${this.#fileSize()})`,
    );
  }
}

function unallocated(start: number, length: number): Run {
  return { kind: "unallocated", start, length, hostOffset: -1, storedBytes: 0 };
}

function plainRun(
  kind: L2EntryKind,
  host: number,
  start: number,
  length: number,
  within: number,
): Run {
  const hostOffset = host < 0 ? -1 : host + within;
  if (kind === "normal") return { kind: "data", start, length, hostOffset, storedBytes: 0 };
  if (kind === "unallocated") return unallocated(start, length);
  return { kind: "zero", start, length, hostOffset, storedBytes: 0 };
}

function subclusterRun(range: SubclusterRange, host: number, start: number, within: number): Run {
  const { kind, length } = range;
  if (kind === "invalid") return unallocated(start, length);
  return { kind, start, length, hostOffset: host < 0 ? -1 : host + within, storedBytes: 0 };
}

function mapError(
  code: Qcow2ErrorCode,
  structure: Qcow2Structure,
  entryAt: number,
  problem: string,
): Qcow2Error {
  return new Qcow2Error({
    code,
    structure,
    offset: entryAt,
    message: `the table entry at byte ${entryAt} is wrong: ${problem}`,
  });
}
