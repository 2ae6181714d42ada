import { viewOf } from "../bytes/big-endian.ts";
import { readRefcount, refcountsPerBlock } from "../refcount/refcount-block.ts";
import type { WalkContext } from "./walk-context.ts";
import type { RefcountBlocks } from "./walk-refcounts.ts";

/** A hostile image must not have a block read for each of its entries. */
const maxBlockReads = 4096;

/** Looks up single stored refcounts: of clusters past the end of the file, which a comparison does not reach. */
export class RefcountLookup {
  readonly #context: WalkContext;
  readonly #blocks: RefcountBlocks;
  readonly #perBlock: number;
  #lastIndex = -1;
  #last: DataView | undefined;
  #reads = 0;

  constructor(context: WalkContext, blocks: RefcountBlocks) {
    this.#context = context;
    this.#blocks = blocks;
    const { refcountOrder } = context.area.header;
    this.#perBlock = refcountsPerBlock(context.format.clusterBits, refcountOrder);
  }

  /** Whether the block of a cluster can be looked at. */
  canRead(cluster: number): boolean {
    return !Number.isNaN(this.#blocks.offsets[Math.floor(cluster / this.#perBlock)]);
  }

  /** The stored refcount; `undefined` when its block cannot be looked at. */
  async at(cluster: number): Promise<number | undefined> {
    const index = Math.floor(cluster / this.#perBlock);
    const offset = this.#blocks.offsets[index] ?? 0;
    if (Number.isNaN(offset)) return undefined;
    if (offset === 0 || offset >= this.#context.reader.sizeBytes) return 0;
    if (index !== this.#lastIndex || this.#last === undefined) {
      this.#reads++;
      if (this.#reads > maxBlockReads) return undefined;
      this.#last = viewOf(await this.#context.readPadded(offset, this.#context.clusterSize));
      this.#lastIndex = index;
    }
    const { refcountOrder } = this.#context.area.header;
    return readRefcount(this.#last, cluster % this.#perBlock, refcountOrder);
  }
}
