import { viewOf } from "../bytes/big-endian.ts";
import type { SourceReader } from "../bytes/source-reader.ts";
import { readRefcount, writeRefcount } from "./refcount-block.ts";

/** A refcount block in memory. */
export class CachedBlock {
  /** Where it is in the image file. */
  readonly offset: number;
  /** Its content. */
  readonly bytes: Uint8Array;
  readonly #view: DataView;
  readonly #order: number;
  #isDirty: boolean;

  constructor(offset: number, bytes: Uint8Array, refcountOrder: number, isDirty = false) {
    this.#isDirty = isDirty;
    this.offset = offset;
    this.bytes = bytes;
    this.#view = viewOf(bytes);
    this.#order = refcountOrder;
  }

  /** Whether it has changes that are not in the file. */
  get isDirty(): boolean {
    return this.#isDirty;
  }

  /** One refcount. */
  get(index: number): number {
    return readRefcount(this.#view, index, this.#order);
  }

  /** Changes one refcount. */
  set(index: number, value: number): void {
    writeRefcount(this.bytes, index, this.#order, value);
    this.#isDirty = true;
  }

  /** Told that its content is in the file. */
  wasWritten(): void {
    this.#isDirty = false;
  }
}

const maxCleanBytes = 4 * 2 ** 20;

/** Keeps refcount blocks in memory: all that have changes, and some that were used lately. */
export class BlockCache {
  readonly #reader: SourceReader;
  readonly #clusterSize: number;
  readonly #order: number;
  readonly #blocks = new Map<number, CachedBlock>();

  constructor(reader: SourceReader, clusterSize: number, refcountOrder: number) {
    this.#reader = reader;
    this.#clusterSize = clusterSize;
    this.#order = refcountOrder;
  }

  /** The block at an offset, when it is in memory. */
  peek(offset: number): CachedBlock | undefined {
    return this.#blocks.get(offset);
  }

  /** The block at an offset, from the file when it is not in memory. */
  async load(offset: number): Promise<CachedBlock> {
    const known = this.#blocks.get(offset);
    if (known !== undefined) return known;
    const bytes = await this.#reader.readExactly(offset, this.#clusterSize, "refcount block");
    const block = new CachedBlock(offset, bytes, this.#order);
    return this.#keep(block);
  }

  /** A new block of refcount 0. */
  create(offset: number): CachedBlock {
    return this.#keep(
      new CachedBlock(offset, new Uint8Array(this.#clusterSize), this.#order, true),
    );
  }

  /** The blocks with changes, in file order. */
  dirty(): CachedBlock[] {
    return [...this.#blocks.values()]
      .filter(({ isDirty }) => isDirty)
      .sort((a, b) => a.offset - b.offset);
  }

  /** Keeps a block, and drops the oldest ones without changes where there are too many. */
  #keep(kept: CachedBlock): CachedBlock {
    this.#blocks.set(kept.offset, kept);
    let tooMany = this.#blocks.size - Math.max(16, maxCleanBytes / this.#clusterSize);
    if (tooMany <= 0) return kept;
    for (const [offset, block] of this.#blocks) {
      if (block.isDirty || block === kept) continue;
      this.#blocks.delete(offset);
      if (--tooMany <= 0) break;
    }
    return kept;
  }
}
