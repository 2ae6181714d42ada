import { type ClusterEntry, unitMask, unitsPerCluster } from "./cluster-entry.ts";
import type { ClusterWriter, ClusterWriterParts } from "./cluster-writer.ts";
import type { L2Cursor } from "./l2-cursor.ts";

const zeroBytes = 65536;

/**
 * How a range is zeroed: `zero` in the cheapest way, `hint` only as far as nothing has to be written for it, `hide` so
 * that it stays zero whatever backing file the image gets.
 */
export type ZeroMode = "zero" | "hint" | "hide";

/** Makes ranges of a disk read as zeros, without storing them where the format can say so. */
export class ClusterZeroer {
  readonly #parts: ClusterWriterParts;
  readonly #writer: ClusterWriter;
  readonly #isRawDataFile: boolean;
  readonly #clusterSize: number;
  readonly #unitSize: number;

  constructor(parts: ClusterWriterParts, writer: ClusterWriter, isRawDataFile: boolean) {
    this.#parts = parts;
    this.#writer = writer;
    this.#isRawDataFile = isRawDataFile;
    this.#clusterSize = 2 ** parts.format.clusterBits;
    this.#unitSize = this.#clusterSize / unitsPerCluster(parts.format);
  }

  /** Zeroes what one step can of a range and says how many bytes that was. */
  async zeroSome(start: number, length: number, mode: ZeroMode): Promise<number> {
    const isHint = mode === "hint";
    const skipped = mode === "hide" ? 0 : await this.#skipEmptyTable(start, length);
    if (skipped > 0) return skipped;
    const from = start % this.#clusterSize;
    if (from === 0 && length >= this.#clusterSize && this.#hasZeroFlag) {
      return this.#zeroClusters(start, length);
    }
    const part = Math.min(length, this.#clusterSize - from);
    const isToEnd = start + part === this.#parts.layer().sizeBytes;
    const end = isToEnd ? this.#clusterSize : from + part;
    const first = Math.ceil(from / this.#unitSize);
    const last = Math.floor(end / this.#unitSize) - 1;
    if (last < first || this.#isRawDataFile) {
      if (!isHint) await this.#writeZeros(start, part);
      return part;
    }
    const head = Math.min(part, first * this.#unitSize - from);
    if (head > 0 && !isHint) await this.#writeZeros(start, head);
    await this.#zeroUnits(start - from, first, last, mode);
    const covered = (last + 1) * this.#unitSize;
    if (covered < end && !isHint) await this.#writeZeros(start - from + covered, end - covered);
    return part;
  }

  /** Whether a whole cluster is zeroed by its entry alone. */
  get #hasZeroFlag(): boolean {
    return this.#parts.format.version !== 2 && !this.#isRawDataFile;
  }

  /** Zeroes whole clusters whose entries lie in one slice, and says how many bytes that was. */
  async #zeroClusters(start: number, length: number): Promise<number> {
    const { finder, store, format } = this.#parts;
    const cursor = await finder.open(start / this.#clusterSize, store);
    const count = Math.min(cursor.count, Math.floor(length / this.#clusterSize));
    const zero = unitMask(0, unitsPerCluster(format) - 1);
    for (let index = 0; index < count; index++) {
      const entry = cursor.get(index);
      if (format.hasDataFile) {
        if (entry.zero !== zero || entry.allocated !== 0) {
          cursor.set(index, { ...entry, allocated: 0, zero });
        }
        continue;
      }
      if (entry.host < 0 && !entry.compressed && entry.zero === zero) continue;
      this.#writer.releaseEntry(entry);
      cursor.set(index, { host: -1, isCopied: false, allocated: 0, zero });
    }
    return count * this.#clusterSize;
  }

  /** A range without L2 table and without anything below reads as zeros already. */
  async #skipEmptyTable(start: number, length: number): Promise<number> {
    const { finder, backing } = this.#parts;
    if (this.#isRawDataFile || (backing && backing.sizeBytes > start)) return 0;
    const cluster = Math.floor(start / this.#clusterSize);
    if (await finder.hasTable(cluster)) return 0;
    const next = (Math.floor(cluster / finder.entriesPerTable) + 1) * finder.entriesPerTable;
    return Math.min(length, next * this.#clusterSize - start);
  }

  async #zeroUnits(
    clusterStart: number,
    first: number,
    last: number,
    mode: ZeroMode,
  ): Promise<void> {
    const { finder, store, format } = this.#parts;
    const cursor = await finder.open(clusterStart / this.#clusterSize, store);
    const entry = cursor.get(0);
    const isWhole = last - first + 1 === unitsPerCluster(format);
    if (!isWhole && entry.compressed) {
      const bytes = (last - first + 1) * this.#unitSize;
      if (mode !== "hint") await this.#writeZeros(clusterStart + first * this.#unitSize, bytes);
      return;
    }
    if (format.version === 2) {
      await this.#zeroWithoutFlag(cursor, entry, clusterStart, mode);
      return;
    }
    const mask = unitMask(first, last);
    if (entry.host < 0 && !entry.compressed && (entry.zero & mask) === mask) return;
    const zero = entry.zero | mask;
    const allocated = entry.allocated & ~mask;
    const keepsHost = !isWhole || format.hasDataFile;
    if (keepsHost) {
      cursor.set(0, { ...entry, allocated, zero });
      return;
    }
    this.#writer.releaseEntry(entry);
    cursor.set(0, { host: -1, isCopied: false, allocated: 0, zero });
  }

  /** Version 2: a cluster reads as zeros only when it is not allocated and nothing is below it. */
  async #zeroWithoutFlag(
    cursor: L2Cursor,
    entry: ClusterEntry,
    clusterStart: number,
    mode: ZeroMode,
  ): Promise<void> {
    const { backing, layer } = this.#parts;
    if (mode === "hide") {
      const length = Math.min(this.#clusterSize, layer().sizeBytes - clusterStart);
      await this.#writer.writeSome(clusterStart, new Uint8Array(length));
      return;
    }
    if (backing && backing.sizeBytes > clusterStart) {
      if (mode !== "hint") await this.#writeZeros(clusterStart, this.#clusterSize);
      return;
    }
    if (entry.host < 0 && !entry.compressed) return;
    this.#writer.releaseEntry(entry);
    cursor.set(0, { host: -1, isCopied: false, allocated: 0, zero: 0 });
  }

  /** Stores zeros, but not where the disk reads as zeros already. */
  async #writeZeros(start: number, length: number): Promise<void> {
    const layer = this.#parts.layer();
    const end = Math.min(start + length, layer.sizeBytes);
    for (let at = start; at < end; ) {
      const part = Math.min(zeroBytes, end - at);
      const present = new Uint8Array(part);
      await layer.readInto(at, present);
      if (present.every((byte) => byte === 0)) at += part;
      else at += await this.#writer.writeSome(at, new Uint8Array(part));
    }
  }
}
