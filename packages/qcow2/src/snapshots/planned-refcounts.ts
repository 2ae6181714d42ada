import type { MemoryBudget } from "../bytes/budget.ts";
import { Qcow2Error } from "../errors.ts";
import type { Header } from "../header/parse.ts";
import { CachedBlock } from "../refcount/block-cache.ts";
import { refcountsPerBlock } from "../refcount/refcount-block.ts";
import type { HostRange, Refcounts } from "../refcount/refcounts.ts";

/**
 * Refcounts as they will be, beside those that are in the file. Blocks with changes are kept in memory; nothing is
 * written, and what is free in the plan alone is not handed out, so that the file stays what it is until the end.
 */
export class PlannedRefcounts {
  /** Refcounts of a block. */
  readonly perBlock: number;
  /** Refcounts as they are. */
  readonly present: Refcounts;
  /** The blocks with changes, by their index. */
  readonly blocks: ReadonlyMap<number, CachedBlock>;
  readonly #blocks = new Map<number, CachedBlock>();
  readonly #clusterSize: number;
  readonly #order: number;
  readonly #max: number;
  readonly #budget: MemoryBudget;
  #firstFree = 1;

  constructor(present: Refcounts, header: Header, budget: MemoryBudget) {
    this.present = present;
    this.blocks = this.#blocks;
    this.perBlock = refcountsPerBlock(header.clusterBits, header.refcountOrder);
    this.#clusterSize = 2 ** header.clusterBits;
    this.#order = header.refcountOrder;
    // Above 2^53 a refcount is not known exactly.
    this.#max = Math.min(2 ** (2 ** header.refcountOrder) - 1, Number.MAX_SAFE_INTEGER);
    this.#budget = budget;
  }

  /** A refcount as it will be; a promise only when its block is not in memory. */
  get(cluster: number): number | Promise<number> {
    const block = this.#blocks.get(Math.floor(cluster / this.perBlock));
    return block?.get(cluster % this.perBlock) ?? this.present.get(cluster);
  }

  /**
   * Adds references to a used cluster, or takes them away; a promise only when its block is not in memory.
   *
   * @throws {@link Qcow2Error} `QCOW2_REFCOUNT_OVERFLOW` (limit), `QCOW2_REFCOUNT_TOO_LOW` (corrupt).
   */
  change(cluster: number, by: number): Promise<void> | undefined {
    const index = Math.floor(cluster / this.perBlock);
    const block = this.#blocks.get(index);
    if (block === undefined)
      return this.#load(index).then((loaded) => this.#add(loaded, cluster, by));
    this.#add(block, cluster, by);
    return undefined;
  }

  /** {@link change} for every cluster that a range touches. */
  async changeRange(offset: number, lengthBytes: number, by: number): Promise<void> {
    const end = Math.ceil((offset + lengthBytes) / this.#clusterSize);
    for (let cluster = Math.floor(offset / this.#clusterSize); cluster < end; cluster++) {
      await this.change(cluster, by);
    }
  }

  /** Takes clusters next to each other that are free now and in the plan; returns where they start. */
  async allocate(clusters: number): Promise<number> {
    let start = this.#firstFree;
    let present = await this.present.block(Math.floor(start / this.perBlock));
    for (let cluster = start; cluster - start < clusters; cluster++) {
      const at = cluster % this.perBlock;
      const index = (cluster - at) / this.perBlock;
      if (at === 0) present = await this.present.block(index);
      const isUsed = (present?.get(at) ?? 0) + (this.#blocks.get(index)?.get(at) ?? 0) > 0;
      if (isUsed) start = cluster + 1;
    }
    for (let cluster = start; cluster < start + clusters; cluster++) await this.#take(cluster);
    if (clusters === 1 || start === this.#firstFree) this.#firstFree = start + clusters;
    return start * this.#clusterSize;
  }

  /** Gives back what {@link allocate} gave. */
  async giveBack({ offset, clusters }: HostRange): Promise<void> {
    const first = offset / this.#clusterSize;
    await this.changeRange(offset, clusters * this.#clusterSize, -1);
    this.#firstFree = Math.min(this.#firstFree, first);
  }

  /** The ranges that are used now and will be free. */
  async freed(): Promise<HostRange[]> {
    const ranges: HostRange[] = [];
    for (const index of [...this.#blocks.keys()].sort((a, b) => a - b)) {
      const planned = this.#blocks.get(index);
      const present = await this.present.block(index);
      for (let at = 0; at < this.perBlock; at++) {
        if ((present?.get(at) ?? 0) === 0 || planned?.get(at) !== 0) continue;
        const offset = (index * this.perBlock + at) * this.#clusterSize;
        const last = ranges.at(-1);
        if (last && last.offset + last.clusters * this.#clusterSize === offset) {
          ranges[ranges.length - 1] = { offset: last.offset, clusters: last.clusters + 1 };
        } else ranges.push({ offset, clusters: 1 });
      }
    }
    return ranges;
  }

  async #take(cluster: number): Promise<void> {
    const index = Math.floor(cluster / this.perBlock);
    const block = this.#blocks.get(index) ?? (await this.#load(index));
    block.set(cluster % this.perBlock, 1);
  }

  #add(block: CachedBlock, cluster: number, by: number): void {
    const before = block.get(cluster % this.perBlock);
    const after = before + by;
    if (before > this.#max || after > this.#max)
      throw overflow(cluster * this.#clusterSize, this.#max);
    if (after < 0 || (before === 0 && by > 0)) throw tooLow(cluster * this.#clusterSize);
    block.set(cluster % this.perBlock, after);
  }

  async #load(index: number): Promise<CachedBlock> {
    const present = await this.present.block(index);
    this.#budget.take(this.#clusterSize, "refcount block");
    const bytes = present?.bytes.slice() ?? new Uint8Array(this.#clusterSize);
    const block = new CachedBlock(present?.offset ?? 0, bytes, this.#order);
    this.#blocks.set(index, block);
    return block;
  }
}

function overflow(offset: number, max: number): Qcow2Error {
  return new Qcow2Error({
    code: "QCOW2_REFCOUNT_OVERFLOW",
    message: `the cluster at byte ${offset} would be used more than ${max} times, which its refcount cannot count`,
    offset,
    structure: "refcount block",
    details: { maxRefcount: max },
    hint: "delete a snapshot, or convert the image to one with wider refcounts",
  });
}

function tooLow(offset: number): Qcow2Error {
  return new Qcow2Error({
    code: "QCOW2_REFCOUNT_TOO_LOW",
    message: `the cluster at byte ${offset} is used more often than its refcount says`,
    offset,
    structure: "refcount block",
    hint: "repair the image first",
  });
}
