import { changedHeader, type HeaderChange } from "../amend/changed-header.ts";
import { viewOf } from "../bytes/big-endian.ts";
import { MemoryBudget } from "../bytes/budget.ts";
import type { SourceReader } from "../bytes/source-reader.ts";
import type { Qcow2Structure } from "../errors.ts";
import { extensionTypes } from "../extensions/layout.ts";
import { findExtension } from "../extensions/parse.ts";
import { autoclearBits, bitsOf, hasBit, incompatibleBits } from "../header/features.ts";
import { headerFields } from "../header/layout.ts";
import type { LiveHeader } from "../inspect/live-header.ts";
import { parseHeaderArea } from "../inspect/read-header.ts";
import { type HostRange, Refcounts } from "../refcount/refcounts.ts";
import { entryOffset } from "../tables/l1-entry.ts";
import type { TableCache } from "../tables/table-cache.ts";
import { claimSnapshots } from "./claim-metadata.ts";
import { HostFile } from "./host-file.ts";
import { MetadataMap } from "./metadata-map.ts";
import type { OperationQueue } from "./operation-queue.ts";

/** The active L1 table. It moves when the disk grows. */
export interface L1Place {
  /** First byte. */
  readonly offset: number;
  /** Number of entries. */
  readonly entries: number;
}

/** What an {@link ImageStore} works on. */
export interface ImageStoreParts {
  /** The image file. */
  readonly reader: SourceReader;
  /** Its header. */
  readonly header: LiveHeader;
  /** Its L1 and L2 tables. */
  readonly cache: TableCache;
  /** Knows the reads that are under way. */
  readonly queue: OperationQueue;
  /** Memory for the map of metadata. */
  readonly maxMetadataBytes: number;
  /** The external data file, when there is one. */
  readonly data: HostFile | undefined;
}

/**
 * The clusters and tables of an image that is written. Changes are collected in memory and put into the file by
 * {@link ImageStore.commit} in an order that survives a crash: data, also that of a data file, and refcounts, L2 tables,
 * the L1 table, and only then lower refcounts for what is not used any more.
 */
export class ImageStore {
  /** The image file. */
  readonly host: HostFile;
  /** What may not be overwritten. */
  readonly metadata: MetadataMap;
  /** Refcounts and free clusters. */
  readonly refcounts: Refcounts;
  /** Bytes of a cluster. */
  readonly clusterSize: number;
  readonly #parts: ImageStoreParts;
  #freed: { offset: number; lengthBytes: number }[] = [];
  #hasAllocated = false;

  private constructor(
    parts: ImageStoreParts,
    host: HostFile,
    metadata: MetadataMap,
    refcounts: Refcounts,
  ) {
    this.#parts = parts;
    this.host = host;
    this.metadata = metadata;
    this.refcounts = refcounts;
    this.clusterSize = 2 ** parts.header.header.clusterBits;
  }

  /** Reads where all metadata is. Changes nothing. */
  static async open(parts: ImageStoreParts, l1: L1Place): Promise<ImageStore> {
    const { reader, header } = parts;
    const clusterSize = 2 ** header.header.clusterBits;
    const metadata = new MetadataMap(clusterSize, new MemoryBudget(parts.maxMetadataBytes));
    metadata.claim(0, clusterSize, "header");
    const host = new HostFile(reader, metadata, () => markCorrupt(reader, header));
    const refcounts = await Refcounts.open(reader, header, host, metadata);
    const store = new ImageStore(parts, host, metadata, refcounts);
    await store.#claimTables(l1, clusterSize);
    await claimSnapshots(reader, header.area, parts.maxMetadataBytes, host, metadata);
    return store;
  }

  /**
   * Clears the autoclear bits that a writer has to clear, and drops bitmaps that are not to be used: those without their
   * bit, and all of them unless `keepsBitmaps`.
   */
  async clearAutoclear(keepsBitmaps: boolean): Promise<void> {
    const { area, header } = this.#parts.header;
    const hasBitmaps = findExtension(area.extensions, extensionTypes.bitmaps) !== undefined;
    const known = bitsOf(
      autoclearBits.rawDataFile,
      ...(keepsBitmaps && hasBitmaps ? [autoclearBits.bitmaps] : []),
    );
    const autoclearFeatures = header.autoclearFeatures & known;
    const dropsBitmaps = hasBitmaps && !hasBit(autoclearFeatures, autoclearBits.bitmaps);
    if (autoclearFeatures === header.autoclearFeatures && !dropsBitmaps) return;
    const withoutExtensions = dropsBitmaps ? [extensionTypes.bitmaps] : [];
    await this.rewriteHeader({ fields: { autoclearFeatures }, withoutExtensions });
  }

  /** Writes the header with its extensions and names anew: what changed of it, in one write. */
  async rewriteHeader(change: HeaderChange): Promise<void> {
    const live = this.#parts.header;
    const bytes = changedHeader(live.area, change);
    const reader = this.#parts.reader;
    const present = new Uint8Array(bytes.byteLength);
    present.set(await reader.readAvailable(0, bytes.byteLength));
    const from = bytes.findIndex((byte, at) => byte !== present[at]);
    const last = bytes.findLastIndex((byte, at) => byte !== present[at]);
    if (from >= 0) await this.host.writeDecision(from, bytes.subarray(from, last + 1), "header");
    await this.host.flush();
    live.replace(parseHeaderArea(bytes, live.area));
  }

  /** Takes up to `wanted` free clusters that lie together. */
  async allocate(wanted: number): Promise<HostRange> {
    this.#hasAllocated = true;
    const range = await this.refcounts.allocate(wanted);
    await this.#requireFree(range);
    return range;
  }

  /** Takes exactly this many free clusters that lie together; behind everything else where no such run is soon found. */
  async allocateRun(clusters: number): Promise<HostRange> {
    const tooShort: HostRange[] = [];
    let found: HostRange | undefined;
    while (found === undefined && tooShort.length < maxShortRuns) {
      const range = await this.allocate(clusters);
      if (range.clusters === clusters) found = range;
      else tooShort.push(range);
    }
    for (const { offset, clusters: length } of tooShort) {
      await this.refcounts.lower(offset, length * this.clusterSize);
    }
    return found ?? this.refcounts.allocateTogether(clusters);
  }

  /** Says that a range holds a structure, unless that is known. */
  async claimOnce(offset: number, length: number, structure: Qcow2Structure): Promise<void> {
    if (this.metadata.holds(offset, length, structure)) return;
    await this.host.guarded(() => this.metadata.claim(offset, length, structure));
  }

  /** Writes a table that nothing names yet to clusters that are free. */
  async writeFresh(offset: number, bytes: Uint8Array, structure: Qcow2Structure): Promise<void> {
    await this.host.guarded(() => this.metadata.claim(offset, bytes.byteLength, structure));
    await this.host.write(offset, bytes, structure);
  }

  /** Gives the space of ranges back that nothing uses any more, once reads under way are done. */
  async releaseRanges(ranges: readonly HostRange[]): Promise<void> {
    await this.#parts.queue.readsDone();
    for (const { offset, clusters } of ranges) {
      await this.host.release(offset, clusters * this.clusterSize);
    }
  }

  /** Gives a structure back that nothing names any more; see {@link ImageStore.free}. */
  retire(offset: number, lengthBytes: number, structure: Qcow2Structure): void {
    this.metadata.release(offset, lengthBytes, structure);
    this.free(offset, lengthBytes);
  }

  /**
   * Gives a range back once the tables that no longer use it are in the file. A range that holds metadata then, which is so in
   * a damaged image alone, stops all writing: the next one to get it would destroy that.
   */
  free(offset: number, lengthBytes: number): void {
    const last = this.#freed.at(-1);
    // Only whole clusters: the parts of one are counted one by one.
    if (last && last.offset + last.lengthBytes === offset && offset % this.clusterSize === 0) {
      last.lengthBytes += lengthBytes;
      return;
    }
    this.#freed.push({ offset, lengthBytes });
  }

  /** Whether so much is waiting in memory that it should be written. */
  get isFull(): boolean {
    const { editedSlices, maxSlices } = this.#parts.cache;
    return editedSlices * 2 > maxSlices || this.#freed.length > 65536;
  }

  /** Writes all that is waiting, in an order of which every prefix leaves a sound image. */
  async commit(): Promise<void> {
    await this.#parts.data?.flush();
    await this.#writeRefcounts();
    await this.host.completeTo(this.clusterSize);
    const hasTables = this.#parts.cache.editedSlices > 0;
    if (hasTables || this.#hasAllocated || this.#freed.length > 0) await this.host.flush();
    await this.#writeTables("L2 table");
    await this.#writeTables("L1 table");
    await this.releaseFreed();
  }

  /** Lowers the refcounts of what was given back. Only when no table in the file uses it. */
  async releaseFreed(): Promise<void> {
    this.#hasAllocated = false;
    if (this.#freed.length === 0) return;
    await this.host.flush();
    await this.#parts.queue.readsDone();
    const freed = this.#freed;
    this.#freed = [];
    const holes: number[] = [];
    try {
      for (const range of freed) await this.#lower(range, holes);
    } catch (error) {
      // What is left of them waits for the next commit.
      this.#freed = [...freed.filter(({ lengthBytes }) => lengthBytes > 0), ...this.#freed];
      throw error;
    }
    await this.#writeRefcounts();
    await this.#punch(holes);
  }

  /** Lowers the refcounts of a range from its start on, and takes from it what is done. */
  async #lower(range: { offset: number; lengthBytes: number }, holes: number[]): Promise<void> {
    while (range.lengthBytes > 0) {
      const { offset } = range;
      const length = Math.min(range.lengthBytes, this.refcounts.bytesInBlock(offset));
      await this.host.guarded(() => this.metadata.requireOwn(offset, length, "data cluster"));
      for (const cluster of await this.refcounts.lower(offset, length)) holes.push(cluster);
      range.offset += length;
      range.lengthBytes -= length;
    }
  }

  /** Cuts off what nothing uses at the end of the file, with nothing waiting. */
  async trim(): Promise<void> {
    await this.host.flush();
    const usedBytes = await this.refcounts.usedBytes();
    if (usedBytes < this.host.freshFrom) await this.host.truncate(usedBytes);
    await this.host.flush();
  }

  async #writeRefcounts(): Promise<void> {
    for (const { offset, clusters } of await this.refcounts.write()) {
      this.retire(offset, clusters * this.clusterSize, "refcount table");
    }
  }

  async #writeTables(structure: "L1 table" | "L2 table"): Promise<void> {
    const { cache } = this.#parts;
    const edits = cache.edits(structure);
    if (edits.length === 0) return;
    for (const edit of edits) {
      const { slice, start, from, to } = edit;
      const bytes = new Uint8Array(slice.buffer, slice.byteOffset + from, to - from);
      await this.host.write(start + from, bytes, structure);
      cache.wasWritten(edit);
    }
    await this.host.flush();
  }

  async #punch(clusters: number[]): Promise<void> {
    const { clusterSize } = this;
    clusters.sort((a, b) => a - b);
    for (let first = 0; first < clusters.length; ) {
      let end = first + 1;
      while (clusters[end] === (clusters[end - 1] as number) + clusterSize) end++;
      await this.host.release(clusters[first] as number, (end - first) * clusterSize);
      first = end;
    }
  }

  async #requireFree({ offset, clusters }: HostRange): Promise<void> {
    const lengthBytes = clusters * this.clusterSize;
    await this.host.guarded(() => this.metadata.requireOwn(offset, lengthBytes, "data cluster"));
  }

  async #claimTables(l1: L1Place, clusterSize: number): Promise<void> {
    const { cache } = this.#parts;
    await this.host.guarded(() => this.metadata.claim(l1.offset, l1.entries * 8, "L1 table"));
    for (let index = 0; index < l1.entries; index++) {
      const at = l1.offset + index * 8;
      const slice = cache.peek(at) ?? (await cache.load(at, "L1 table"));
      const within = at % cache.sliceBytes;
      const offset = entryOffset(slice.getUint32(within), slice.getUint32(within + 4));
      if (offset === 0) continue;
      await this.host.guarded(() => this.metadata.claim(offset, clusterSize, "L2 table"));
    }
  }
}

/** Free ranges that are tried for a run that must lie together. */
const maxShortRuns = 64;

/** Sets the corrupt bit, as far as that still works. Version 2 has none. */
async function markCorrupt(reader: SourceReader, live: LiveHeader): Promise<void> {
  const { header } = live;
  if (header.version === 2 || hasBit(header.incompatibleFeatures, incompatibleBits.corrupt)) return;
  const bytes = new Uint8Array(8);
  const marked = header.incompatibleFeatures | (1n << BigInt(incompatibleBits.corrupt));
  viewOf(bytes).setBigUint64(0, marked);
  try {
    await reader.source.write?.(headerFields.incompatibleFeatures, bytes);
    await reader.source.flush?.();
    live.update({ incompatibleFeatures: marked });
  } catch {
    // The overlap is what the caller has to know; the mark only tells others.
  }
}
