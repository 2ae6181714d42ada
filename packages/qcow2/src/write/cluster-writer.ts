import type { DiskLayer } from "../read/disk-layer.ts";
import type { Qcow2Layer } from "../read/qcow2-layer.ts";
import type { L2Format } from "../tables/l2-entry.ts";
import { type ClusterEntry, unitMask, unitsPerCluster } from "./cluster-entry.ts";
import type { HostFile } from "./host-file.ts";
import type { ImageStore } from "./image-store.ts";
import type { L2Cursor, L2Finder } from "./l2-cursor.ts";

/** What writing to the clusters of a disk needs. */
export interface ClusterWriterParts {
  /** Clusters and tables of the image. */
  readonly store: ImageStore;
  /** Where data goes: the image file or the external data file. */
  readonly data: HostFile;
  /** Finds L2 entries. */
  readonly finder: L2Finder;
  /** How L2 entries are written. */
  readonly format: L2Format;
  /** The disk as it reads now. */
  readonly layer: () => Qcow2Layer;
  /** The disk below. */
  readonly backing: DiskLayer | undefined;
}

/** A part of one cluster. */
interface ClusterPart {
  readonly cursor: L2Cursor;
  readonly clusterStart: number;
  readonly from: number;
  readonly bytes: Uint8Array;
}

/** Writes data: in place where the cluster is the active disk's alone, to a new cluster where it is not. */
export class ClusterWriter {
  readonly #parts: ClusterWriterParts;
  readonly #clusterSize: number;
  readonly #unitSize: number;

  constructor(parts: ClusterWriterParts) {
    this.#parts = parts;
    this.#clusterSize = 2 ** parts.format.clusterBits;
    this.#unitSize = this.#clusterSize / unitsPerCluster(parts.format);
  }

  /** Writes the bytes that one step can: part of a cluster, or whole clusters that go to one place. Says how many. */
  async writeSome(start: number, bytes: Uint8Array): Promise<number> {
    const { finder, store } = this.#parts;
    const from = start % this.#clusterSize;
    const clusterStart = start - from;
    const cursor = await finder.open(clusterStart / this.#clusterSize, store);
    if (from !== 0 || bytes.byteLength < this.#clusterSize) {
      const length = Math.min(bytes.byteLength, this.#clusterSize - from);
      await this.#writePart({ cursor, clusterStart, from, bytes: bytes.subarray(0, length) });
      return length;
    }
    const wanted = Math.min(Math.floor(bytes.byteLength / this.#clusterSize), cursor.count);
    const inPlace = await this.#countInPlace(cursor, wanted);
    const clusters =
      inPlace > 0
        ? await this.#overwrite(cursor, inPlace, bytes)
        : await this.#writeNew(cursor, clusterStart, wanted, bytes);
    return clusters * this.#clusterSize;
  }

  /** Whether an entry's cluster may be written where it is. */
  async isOwn(entry: ClusterEntry): Promise<boolean> {
    if (entry.host < 0) return false;
    if (this.#parts.format.hasDataFile) return true;
    if (!entry.isCopied) return false;
    return (await this.#parts.store.refcounts.get(entry.host / this.#clusterSize)) === 1;
  }

  /** Gives back what an entry uses and its successor does not. */
  releaseEntry(entry: ClusterEntry): void {
    const { store, format } = this.#parts;
    if (format.hasDataFile) return;
    if (entry.compressed) store.free(entry.compressed.offset, entry.compressed.lengthBytes);
    if (entry.host >= 0) store.free(entry.host, this.#clusterSize);
  }

  async #countInPlace(cursor: L2Cursor, wanted: number): Promise<number> {
    let count = 0;
    let expected = -1;
    while (count < wanted) {
      const entry = cursor.get(count);
      if ((expected >= 0 && entry.host !== expected) || !(await this.isOwn(entry))) break;
      expected = entry.host + this.#clusterSize;
      count++;
    }
    return count;
  }

  async #overwrite(cursor: L2Cursor, clusters: number, bytes: Uint8Array): Promise<number> {
    const all = unitMask(0, unitsPerCluster(this.#parts.format) - 1);
    const whole = bytes.subarray(0, clusters * this.#clusterSize);
    await this.#parts.data.write(cursor.get(0).host, whole, "data cluster");
    for (let index = 0; index < clusters; index++) {
      const entry = cursor.get(index);
      if (entry.allocated === all && entry.zero === 0) continue;
      cursor.set(index, { ...entry, isCopied: true, allocated: all, zero: 0 });
    }
    return clusters;
  }

  async #writeNew(
    cursor: L2Cursor,
    clusterStart: number,
    wanted: number,
    bytes: Uint8Array,
  ): Promise<number> {
    let count = 1;
    while (count < wanted && !(await this.isOwn(cursor.get(count)))) count++;
    const { offset, clusters } = await this.#allocate(clusterStart, count);
    await this.#writeTo(offset, 0, bytes.subarray(0, clusters * this.#clusterSize), offset);
    const all = unitMask(0, unitsPerCluster(this.#parts.format) - 1);
    for (let index = 0; index < clusters; index++) {
      this.releaseEntry(cursor.get(index));
      const host = offset + index * this.#clusterSize;
      cursor.set(index, { host, isCopied: true, allocated: all, zero: 0 });
    }
    return clusters;
  }

  async #writePart(part: ClusterPart): Promise<void> {
    const { cursor, clusterStart, from, bytes } = part;
    const entry = cursor.get(0);
    const first = Math.floor(from / this.#unitSize);
    const last = Math.floor((from + bytes.byteLength - 1) / this.#unitSize);
    const isOwn = await this.isOwn(entry);
    const copiesAll = !isOwn && (entry.compressed !== undefined || entry.host >= 0);
    const units = copiesAll
      ? { first: 0, last: unitsPerCluster(this.#parts.format) - 1 }
      : { first, last };
    const host = isOwn ? entry.host : (await this.#allocate(clusterStart, 1)).offset;
    const hasFirst = isOwn && isSet(entry.allocated, first);
    const hasLast = isOwn && isSet(entry.allocated, last);
    const range = {
      from: hasFirst ? from : units.first * this.#unitSize,
      to: hasLast ? from + bytes.byteLength : (units.last + 1) * this.#unitSize,
    };
    const filled = await this.#fill(part, entry, host, range);
    await this.#writeTo(host, filled.from, filled.bytes, isOwn ? -1 : host);
    const written = unitMask(units.first, units.last);
    const allocated = copiesAll ? written : entry.allocated | written;
    const zero = copiesAll ? 0 : entry.zero & ~written;
    if (!isOwn) this.releaseEntry(entry);
    if (isOwn && allocated === entry.allocated && zero === entry.zero) return;
    cursor.set(0, { host, isCopied: true, allocated, zero });
  }

  /** The bytes to be written so that whole units are: what is around the caller's bytes stays as it reads now. */
  async #fill(
    { clusterStart, from, bytes }: ClusterPart,
    entry: ClusterEntry,
    host: number,
    range: { from: number; to: number },
  ): Promise<{ from: number; bytes: Uint8Array }> {
    const end = from + bytes.byteLength;
    if (range.from === from && range.to === end) return { from, bytes };
    const isFresh = host >= this.#parts.data.freshFrom;
    if (isFresh && this.#readsAsZeros(entry, clusterStart)) return { from, bytes };
    const whole = new Uint8Array(range.to - range.from);
    const layer = this.#parts.layer();
    const head = whole.subarray(0, from - range.from);
    const tail = whole.subarray(end - range.from);
    if (head.byteLength > 0) await layer.readInto(clusterStart + range.from, head);
    whole.set(bytes, head.byteLength);
    if (tail.byteLength > 0) await layer.readInto(clusterStart + end, tail);
    return { from: range.from, bytes: whole };
  }

  #readsAsZeros(entry: ClusterEntry, clusterStart: number): boolean {
    if (entry.compressed || entry.allocated !== 0) return false;
    const { backing, format } = this.#parts;
    if (entry.zero === unitMask(0, unitsPerCluster(format) - 1)) return true;
    return backing === undefined || backing.sizeBytes <= clusterStart;
  }

  async #allocate(clusterStart: number, wanted: number) {
    if (this.#parts.format.hasDataFile) return { offset: clusterStart, clusters: wanted };
    return this.#parts.store.allocate(wanted);
  }

  /** Writes to a cluster; when that fails a newly allocated one is given back. */
  async #writeTo(host: number, from: number, bytes: Uint8Array, allocated: number): Promise<void> {
    const { data, store, format } = this.#parts;
    try {
      await data.write(host + from, bytes, "data cluster");
    } catch (error) {
      if (allocated >= 0 && !format.hasDataFile) {
        store.free(
          allocated,
          Math.ceil((from + bytes.byteLength) / this.#clusterSize) * this.#clusterSize,
        );
      }
      throw error;
    }
  }
}

function isSet(mask: number, bit: number): boolean {
  return ((mask >>> bit) & 1) === 1;
}
