import { copiedFlagHigh, entryOffset, isCopied } from "../tables/l1-entry.ts";
import type { L2Format } from "../tables/l2-entry.ts";
import type { TableCache } from "../tables/table-cache.ts";
import { type ClusterEntry, decodeEntry, encodeEntry } from "./cluster-entry.ts";
import type { ImageStore, L1Place } from "./image-store.ts";

/** Entries of an L2 table that lie in one slice, for reading and changing. */
export class L2Cursor {
  readonly #cache: TableCache;
  readonly #format: L2Format;
  readonly #slice: DataView;
  readonly #at: number;

  /**
   * @param slice - The slice of the cache that holds the entries. Only one cursor of a slice changes it at a time.
   * @param at - Byte of the first entry in the image file.
   */
  constructor(cache: TableCache, format: L2Format, slice: DataView, at: number) {
    this.#cache = cache;
    this.#format = format;
    this.#slice = slice;
    this.#at = at;
  }

  /** Entries from the first one to the end of the slice. */
  get count(): number {
    const { sliceBytes } = this.#cache;
    return (sliceBytes - (this.#at % sliceBytes)) / entryBytes(this.#format);
  }

  /** Reads the entry that is `index` behind the first. */
  get(index: number): ClusterEntry {
    const position = this.#at + index * entryBytes(this.#format);
    return decodeEntry(this.#slice, position % this.#cache.sliceBytes, this.#format);
  }

  /** Changes the entry that is `index` behind the first. */
  set(index: number, entry: ClusterEntry): void {
    const length = entryBytes(this.#format);
    const position = this.#at + index * length;
    this.#cache.edit(this.#slice, position, length, "L2 table");
    encodeEntry(this.#slice, position % this.#cache.sliceBytes, entry, this.#format);
  }
}

/** An L1 entry. */
interface L1Entry {
  /** The slice of the L1 table that holds it. */
  readonly slice: DataView;
  /** Where it is in the image file. */
  readonly at: number;
  readonly high: number;
  readonly low: number;
}

/** Finds L2 entries, and makes the tables that hold them writable. */
export class L2Finder {
  /** How L2 entries are written. */
  readonly format: L2Format;
  readonly #cache: TableCache;
  readonly #l1: () => L1Place;

  constructor(cache: TableCache, format: L2Format, l1: () => L1Place) {
    this.#cache = cache;
    this.format = format;
    this.#l1 = l1;
  }

  /** Bytes of a cluster. */
  get clusterSize(): number {
    return 2 ** this.format.clusterBits;
  }

  /** Clusters of the disk that one L2 table maps. */
  get entriesPerTable(): number {
    return 2 ** this.format.clusterBits / entryBytes(this.format);
  }

  /** Whether the L2 table of a cluster of the disk exists. */
  async hasTable(cluster: number): Promise<boolean> {
    const { high, low } = await this.#l1Entry(cluster);
    return entryOffset(high, low) !== 0;
  }

  /** Where the entry of a cluster of the disk is in the image file; its L2 table exists. */
  async entryAt(cluster: number): Promise<number> {
    const { high, low } = await this.#l1Entry(cluster);
    const within = (cluster % this.entriesPerTable) * entryBytes(this.format);
    return entryOffset(high, low) + within;
  }

  /** The entries from a cluster of the disk on, in a table that only the active disk uses; it is made where needed. */
  async open(cluster: number, store: ImageStore): Promise<L2Cursor> {
    const { high, low } = await this.#l1Entry(cluster);
    let table = entryOffset(high, low);
    const isOwn = table !== 0 && isCopied(high) && (await this.#isUsedOnce(table, store));
    if (!isOwn) table = await this.#makeTable(cluster, table, store);
    const at = table + (cluster % this.entriesPerTable) * entryBytes(this.format);
    const slice = this.#cache.peek(at) ?? (await this.#cache.load(at, "L2 table"));
    return new L2Cursor(this.#cache, this.format, slice, at);
  }

  async #isUsedOnce(table: number, store: ImageStore): Promise<boolean> {
    return (await store.refcounts.get(table / 2 ** this.format.clusterBits)) === 1;
  }

  async #l1Entry(cluster: number): Promise<L1Entry> {
    const at = this.#l1().offset + Math.floor(cluster / this.entriesPerTable) * 8;
    const slice = this.#cache.peek(at) ?? (await this.#cache.load(at, "L1 table"));
    const within = at % this.#cache.sliceBytes;
    return { slice, at, high: slice.getUint32(within), low: slice.getUint32(within + 4) };
  }

  /** Makes an empty table, or a copy of one that a snapshot uses too. */
  async #makeTable(cluster: number, old: number, store: ImageStore): Promise<number> {
    const clusterSize = 2 ** this.format.clusterBits;
    const bytes = new Uint8Array(clusterSize);
    if (old !== 0) await this.#copyTable(old, bytes);
    const { offset } = await store.allocate(1);
    const { slice: l1, at } = await this.#claimTable(cluster, offset, store);
    this.#cache.adopt(offset, bytes, "L2 table");
    this.#cache.edit(l1, at, 8, "L1 table");
    const within = at % this.#cache.sliceBytes;
    l1.setUint32(within, (Math.floor(offset / 2 ** 32) | copiedFlagHigh) >>> 0);
    l1.setUint32(within + 4, offset % 2 ** 32);
    if (old !== 0) store.retire(old, clusterSize, "L2 table");
    return offset;
  }

  /** Claims a cluster for the table of another one of the disk, or gives it back. @returns The entry that is to name it. */
  async #claimTable(cluster: number, offset: number, store: ImageStore): Promise<L1Entry> {
    try {
      store.metadata.claim(offset, this.clusterSize, "L2 table");
      return await this.#l1Entry(cluster);
    } catch (error) {
      store.retire(offset, this.clusterSize, "L2 table");
      throw error;
    }
  }

  async #copyTable(old: number, into: Uint8Array): Promise<void> {
    const { sliceBytes } = this.#cache;
    for (let at = 0; at < into.byteLength; at += sliceBytes) {
      const slice = this.#cache.peek(old + at) ?? (await this.#cache.load(old + at, "L2 table"));
      into.set(new Uint8Array(slice.buffer, slice.byteOffset, sliceBytes), at);
    }
  }
}

function entryBytes(format: L2Format): number {
  return format.hasExtendedL2 ? 16 : 8;
}
