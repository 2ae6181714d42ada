import { viewOf, writeU64 } from "../bytes/big-endian.ts";
import type { SourceReader } from "../bytes/source-reader.ts";
import { Qcow2Error, type Qcow2ErrorCode } from "../errors.ts";
import { headerFields } from "../header/layout.ts";
import type { LiveHeader } from "../inspect/live-header.ts";
import type { HostFile } from "../write/host-file.ts";
import type { MetadataMap } from "../write/metadata-map.ts";
import { BlockCache, type CachedBlock } from "./block-cache.ts";
import { planExtension, type RefcountExtension } from "./plan-extension.ts";
import { refcountsPerBlock } from "./refcount-block.ts";

/** Clusters next to each other in the image file. */
export interface HostRange {
  /** First byte. */
  readonly offset: number;
  /** Number of clusters. */
  readonly clusters: number;
}

/** The refcounts of an image: counts in memory first, and in the file when {@link Refcounts.write} is called. */
export class Refcounts {
  readonly #header: LiveHeader;
  readonly #host: HostFile;
  readonly #metadata: MetadataMap;
  readonly #blocks: BlockCache;
  readonly #clusterSize: number;
  readonly #perBlock: number;
  readonly #sizeBytes: () => number;
  /** Host offsets of the blocks; 0 where there is none. */
  #table: Float64Array;
  #tableOffset: number;
  #isTableMoved = false;
  readonly #changedEntries = new Set<number>();
  #abandoned: HostRange[] = [];
  #firstFree = 0;

  private constructor(
    reader: SourceReader,
    live: LiveHeader,
    host: HostFile,
    metadata: MetadataMap,
    table: Float64Array,
  ) {
    const { header } = live;
    this.#header = live;
    this.#host = host;
    this.#metadata = metadata;
    this.#clusterSize = 2 ** header.clusterBits;
    this.#perBlock = refcountsPerBlock(header.clusterBits, header.refcountOrder);
    this.#blocks = new BlockCache(reader, this.#clusterSize, header.refcountOrder);
    this.#sizeBytes = () => reader.sizeBytes;
    this.#table = table;
    this.#tableOffset = header.refcountTableOffset;
  }

  /** Reads the refcount table and claims it and the blocks that it names. */
  static async open(
    reader: SourceReader,
    header: LiveHeader,
    host: HostFile,
    metadata: MetadataMap,
  ): Promise<Refcounts> {
    const { refcountTableOffset: offset, refcountTableClusters, clusterBits } = header.header;
    const lengthBytes = refcountTableClusters * 2 ** clusterBits;
    const view = viewOf(await reader.readExactly(offset, lengthBytes, "refcount table"));
    const table = new Float64Array(lengthBytes / 8);
    for (let index = 0; index < table.length; index++) {
      const high = view.getUint32(index * 8);
      table[index] = high * 2 ** 32 + view.getUint32(index * 8 + 4);
    }
    const refcounts = new Refcounts(reader, header, host, metadata, table);
    await refcounts.#claimAll();
    return refcounts;
  }

  /** The refcount of a cluster. */
  async get(cluster: number): Promise<number> {
    const block = await this.block(Math.floor(cluster / this.#perBlock));
    return block?.get(cluster % this.#perBlock) ?? 0;
  }

  /** Where the refcount table is. */
  get table(): HostRange {
    const clusters = (this.#table.length * 8) / this.#clusterSize;
    return { offset: this.#tableOffset, clusters };
  }

  /** Host offsets of the blocks, up to the last one that there is; 0 where there is none. */
  blockOffsets(): Float64Array {
    return this.#table.slice(0, this.#lastBlock() + 1);
  }

  /** A block of refcounts; `undefined` where there is none. */
  async block(index: number): Promise<CachedBlock | undefined> {
    const offset = this.#table[index] ?? 0;
    if (offset === 0) return undefined;
    return this.#blocks.peek(offset) ?? this.#blocks.load(offset);
  }

  /** Takes up to `wanted` free clusters that lie next to each other; at least one. */
  async allocate(wanted: number): Promise<HostRange> {
    for (;;) {
      const index = Math.floor(this.#firstFree / this.#perBlock);
      const block = await this.#ensureBlock(index);
      const first = this.#firstFree % this.#perBlock;
      let at = first;
      while (at < this.#perBlock && block.get(at) !== 0) at++;
      this.#firstFree = index * this.#perBlock + at;
      if (at === this.#perBlock) continue;
      let end = at;
      while (end < this.#perBlock && end - at < wanted && block.get(end) === 0) block.set(end++, 1);
      this.#firstFree = index * this.#perBlock + end;
      const offset = (index * this.#perBlock + at) * this.#clusterSize;
      return { offset, clusters: end - at };
    }
  }

  /** Takes exactly this many clusters next to each other, behind everything else. */
  async allocateTogether(clusters: number): Promise<HostRange> {
    const plan = await this.#extend(clusters);
    return { offset: plan.firstFree * this.#clusterSize, clusters };
  }

  /** Bytes from an offset to where the clusters of another block begin. */
  bytesInBlock(offset: number): number {
    const blockBytes = this.#perBlock * this.#clusterSize;
    return blockBytes - (offset % blockBytes);
  }

  /**
   * Lowers the refcounts of the clusters that a range touches, and says which are free now. In a range that lies in one block
   * all of them or, when that fails, none.
   */
  async lower(offset: number, lengthBytes: number): Promise<number[]> {
    const freed: number[] = [];
    const last = Math.floor((offset + lengthBytes - 1) / this.#clusterSize);
    for (let cluster = Math.floor(offset / this.#clusterSize); cluster <= last; ) {
      const index = Math.floor(cluster / this.#perBlock);
      const end = Math.min(last + 1, (index + 1) * this.#perBlock);
      const block = await this.block(index);
      for (; cluster < end; cluster++) {
        const before = block?.get(cluster % this.#perBlock) ?? 0;
        // Above 2^53 the exact number is not known; a leak is the harmless side to err on.
        if (before === 0 || !Number.isSafeInteger(before)) continue;
        block?.set(cluster % this.#perBlock, before - 1);
        if (before > 1) continue;
        freed.push(cluster * this.#clusterSize);
        this.#firstFree = Math.min(this.#firstFree, cluster);
      }
    }
    return freed;
  }

  /**
   * Writes what changed: blocks, then the table that names new ones, then the header when the table moved; a flush
   * between any two.
   *
   * @returns Ranges of tables that are not used any more.
   */
  async write(): Promise<HostRange[]> {
    for (const block of this.#blocks.dirty()) {
      await this.#host.write(block.offset, block.bytes, "refcount block");
      block.wasWritten();
    }
    if (!this.#isTableMoved && this.#changedEntries.size === 0) return [];
    await this.#host.flush();
    if (this.#isTableMoved) await this.#writeMovedTable();
    else await this.#writeChangedEntries();
    await this.#host.flush();
    this.#changedEntries.clear();
    const abandoned = this.#abandoned;
    this.#abandoned = [];
    return abandoned;
  }

  /** The byte behind the last cluster whose refcount is not 0. */
  async usedBytes(): Promise<number> {
    for (let index = this.#table.length - 1; index >= 0; index--) {
      const offset = this.#table[index] as number;
      if (offset === 0) continue;
      const block = await this.#blocks.load(offset);
      for (let at = this.#perBlock - 1; at >= 0; at--) {
        if (block.get(at) !== 0) return (index * this.#perBlock + at + 1) * this.#clusterSize;
      }
    }
    return 0;
  }

  async #claimAll(): Promise<void> {
    await this.#host.guarded(() =>
      this.#metadata.claim(this.#tableOffset, this.#table.length * 8, "refcount table"),
    );
    for (const [index, offset] of this.#table.entries()) {
      if (offset === 0) continue;
      const from = this.#tableOffset + index * 8;
      if (offset % this.#clusterSize !== 0) throw badEntry("QCOW2_MISALIGNED", from, offset);
      if (offset + this.#clusterSize > this.#sizeBytes()) {
        throw badEntry("QCOW2_OUT_OF_FILE", from, offset);
      }
      await this.#host.guarded(() =>
        this.#metadata.claim(offset, this.#clusterSize, "refcount block"),
      );
    }
  }

  async #ensureBlock(index: number): Promise<CachedBlock> {
    const offset = this.#table[index] ?? 0;
    if (offset !== 0) return this.#blocks.peek(offset) ?? this.#blocks.load(offset);
    if (index > this.#lastBlock()) {
      await this.#extend(0);
      return this.#ensureBlock(index);
    }
    // All clusters of a missing block in the middle are free: the first of them becomes the block.
    const own = index * this.#perBlock * this.#clusterSize;
    await this.#host.guarded(() => this.#metadata.claim(own, this.#clusterSize, "refcount block"));
    const block = this.#addBlock(index, own);
    block.set(0, 1);
    return block;
  }

  /** Adds blocks behind the last one, with room for `clusters` more, and a larger table when they do not fit. */
  async #extend(clusters: number): Promise<RefcountExtension> {
    const plan = planExtension({
      firstIndex: this.#lastBlock() + 1,
      tableEntries: this.#table.length,
      clusters,
      perBlock: this.#perBlock,
      clusterSize: this.#clusterSize,
    });
    await this.#claimExtension(plan);
    // Nothing fails from here on: a table that has moved counts itself, and its blocks count themselves.
    if (plan.tableClusters > 0) this.#moveTable(plan);
    const first = plan.firstIndex * this.#perBlock;
    const blocks = Array.from({ length: plan.blocks }, (_, index) =>
      this.#addBlock(plan.firstIndex + index, (first + index) * this.#clusterSize),
    );
    for (let used = 0; used < plan.firstFree + clusters - first; used++) {
      blocks[Math.floor(used / this.#perBlock)]?.set(used % this.#perBlock, 1);
    }
    return plan;
  }

  /** Claims the blocks and the table of an extension, both or neither. */
  async #claimExtension(plan: RefcountExtension): Promise<void> {
    const offset = plan.firstIndex * this.#perBlock * this.#clusterSize;
    const lengthBytes = plan.blocks * this.#clusterSize;
    const tableBytes = plan.tableClusters * this.#clusterSize;
    await this.#host.guarded(() => {
      this.#metadata.claim(offset, lengthBytes, "refcount block");
      if (tableBytes === 0) return;
      try {
        this.#metadata.claim(plan.tableOffset, tableBytes, "refcount table");
      } catch (error) {
        this.#metadata.release(offset, lengthBytes, "refcount block");
        throw error;
      }
    });
  }

  /** Adds a block whose cluster is claimed. */
  #addBlock(index: number, offset: number): CachedBlock {
    const block = this.#blocks.create(offset);
    this.#table[index] = offset;
    this.#changedEntries.add(index);
    return block;
  }

  /** Moves the table to clusters that are claimed. */
  #moveTable({ tableOffset, tableClusters }: RefcountExtension): void {
    const clusters = (this.#table.length * 8) / this.#clusterSize;
    this.#abandoned.push({ offset: this.#tableOffset, clusters });
    const table = new Float64Array((tableClusters * this.#clusterSize) / 8);
    table.set(this.#table);
    this.#table = table;
    this.#tableOffset = tableOffset;
    this.#isTableMoved = true;
  }

  #lastBlock(): number {
    return this.#table.findLastIndex((offset) => offset !== 0);
  }

  async #writeMovedTable(): Promise<void> {
    const bytes = new Uint8Array(this.#table.length * 8);
    const view = viewOf(bytes);
    for (const [index, offset] of this.#table.entries()) writeU64(view, index * 8, offset);
    await this.#host.write(this.#tableOffset, bytes, "refcount table");
    await this.#host.flush();
    const fields = new Uint8Array(12);
    writeU64(viewOf(fields), 0, this.#tableOffset);
    const refcountTableClusters = bytes.byteLength / this.#clusterSize;
    viewOf(fields).setUint32(8, refcountTableClusters);
    await this.#host.write(headerFields.refcountTableOffset, fields, "header");
    this.#header.update({ refcountTableOffset: this.#tableOffset, refcountTableClusters });
    this.#isTableMoved = false;
  }

  async #writeChangedEntries(): Promise<void> {
    for (const index of this.#changedEntries) {
      const bytes = new Uint8Array(8);
      writeU64(viewOf(bytes), 0, this.#table[index] as number);
      await this.#host.write(this.#tableOffset + index * 8, bytes, "refcount table");
    }
  }
}

function badEntry(code: Qcow2ErrorCode, from: number, offset: number): Qcow2Error {
  return new Qcow2Error({
    code,
    message: `the refcount table entry at byte ${from} puts a refcount block at byte ${offset}`,
    offset: from,
    structure: "refcount table",
  });
}
