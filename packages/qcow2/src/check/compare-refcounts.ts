import { viewOf } from "../bytes/big-endian.ts";
import { readRefcount, refcountsPerBlock } from "../refcount/refcount-block.ts";
import { clusterUse, pageClusters, structureOfUse } from "./reference-map.ts";
import type { WalkContext } from "./walk-context.ts";
import type { RefcountBlocks } from "./walk-refcounts.ts";

/**
 * Compares every stored refcount with the references that were counted. Leaks are counted, the rest is an error.
 *
 * Afterwards, the claims that are left in the reference map are the wrong ones.
 *
 * @returns Whether any claim about a refcount is wrong.
 */
export async function compareRefcounts(
  context: WalkContext,
  blocks: RefcountBlocks,
): Promise<boolean> {
  return new Comparison(context, blocks).run();
}

class Comparison {
  readonly #context: WalkContext;
  readonly #blocks: RefcountBlocks;
  readonly #perBlock: number;
  readonly #maxRefcount: number;
  readonly #clusters: number;
  #leakStart = -1;
  #leakEnd = -1;
  #hasWrongClaims = false;

  constructor(context: WalkContext, blocks: RefcountBlocks) {
    const { refcountOrder } = context.area.header;
    this.#context = context;
    this.#blocks = blocks;
    this.#perBlock = refcountsPerBlock(context.format.clusterBits, refcountOrder);
    this.#maxRefcount = 2 ** (2 ** refcountOrder) - 1;
    const fileClusters = Math.ceil(context.reader.sizeBytes / context.clusterSize);
    // A compressed cluster may reach into the cluster behind the end of the file.
    const reachesBehind = context.references.countAt(fileClusters) > 0;
    this.#clusters = fileClusters + (reachesBehind ? 1 : 0);
  }

  async run(): Promise<boolean> {
    this.#reportUncovered();
    for (const [index, offset] of this.#blocks.offsets.entries()) {
      const first = index * this.#perBlock;
      const clusters = Math.min(this.#perBlock, this.#clusters - first);
      if (offset === 0 || clusters <= 0) continue;
      this.#context.pause();
      if (Number.isNaN(offset)) this.#context.tally.checkErrors += clusters;
      else await this.#compareBlock(offset, first, clusters);
    }
    this.#endLeak();
    return this.#hasWrongClaims;
  }

  async #compareBlock(offset: number, first: number, clusters: number): Promise<void> {
    const { references, area, clusterSize, tally } = this.#context;
    const view = viewOf(await this.#context.readPadded(offset, clusterSize));
    const { refcountOrder } = area.header;
    let page = references.page(Math.floor(first / pageClusters));
    let inPage = first % pageClusters;
    let last = -1;
    for (let index = 0; index < clusters; index++, inPage++) {
      if (inPage === pageClusters) {
        inPage = 0;
        page = references.page((first + index) / pageClusters);
      }
      const stored = readRefcount(view, index, refcountOrder);
      const counted = page === undefined ? 0 : (page.counts[inPage] as number);
      if (stored !== 0 || counted !== 0) last = index;
      if (stored !== counted) this.#mismatch(first + index, stored, counted);
      if (page === undefined || counted === 0) continue;
      const uses = page.uses[inPage] as number;
      const right = stored === 1 ? clusterUse.claimedCopied : clusterUse.claimedShared;
      if ((uses & (anyClaim & ~right)) !== 0) this.#hasWrongClaims = true;
      page.uses[inPage] = uses & ~right;
    }
    if (last >= 0) tally.highestCluster = Math.max(tally.highestCluster, first + last);
  }

  /** Reports referenced clusters that no refcount block covers: their refcount is 0. */
  #reportUncovered(): void {
    const { references, tally } = this.#context;
    const { offsets } = this.#blocks;
    for (const pageIndex of references.pageIndexes()) {
      if (this.#isCovered(pageIndex)) continue;
      const page = references.page(pageIndex);
      if (page === undefined) continue;
      for (let index = 0; index < pageClusters; index++) {
        const counted = page.counts[index] as number;
        if (counted === 0) continue;
        const cluster = pageIndex * pageClusters + index;
        const block = offsets[Math.floor(cluster / this.#perBlock)] ?? 0;
        if (Number.isNaN(block) && counted > this.#maxRefcount) this.#overflow(cluster, counted);
        if (block !== 0) continue;
        tally.highestCluster = Math.max(tally.highestCluster, cluster);
        this.#mismatch(cluster, 0, counted);
        const uses = (page.uses[index] as number) & ~clusterUse.claimedShared;
        page.uses[index] = uses;
        if ((uses & clusterUse.claimedCopied) !== 0) this.#hasWrongClaims = true;
      }
    }
  }

  /** Whether every cluster of a page has a block that can be read, as nearly all have. */
  #isCovered(pageIndex: number): boolean {
    const first = pageIndex * pageClusters;
    const last = Math.floor((first + pageClusters - 1) / this.#perBlock);
    for (let block = Math.floor(first / this.#perBlock); block <= last; block++) {
      const offset = this.#blocks.offsets[block] ?? 0;
      if (offset === 0 || Number.isNaN(offset)) return false;
    }
    return true;
  }

  #mismatch(cluster: number, stored: number, references: number): void {
    const counted = Math.min(references, this.#maxRefcount);
    if (references > counted) this.#overflow(cluster, references);
    if (stored === counted) return;
    if (stored === 0) this.#context.tally.needsRebuild = true;
    if (stored > counted) this.#leak(cluster);
    else this.#tooLow(cluster, stored, counted);
  }

  #leak(cluster: number): void {
    if (cluster !== this.#leakEnd) this.#endLeak();
    if (this.#leakStart < 0) this.#leakStart = cluster;
    this.#leakEnd = cluster + 1;
  }

  #endLeak(): void {
    if (this.#leakStart < 0) return;
    const { sink, clusterSize } = this.#context;
    sink.leak(this.#leakStart * clusterSize, this.#leakEnd - this.#leakStart);
    this.#leakStart = -1;
  }

  #tooLow(cluster: number, stored: number, counted: number): void {
    const message = `is used ${counted} times, but its refcount is ${stored}`;
    this.#report(cluster, message, 1);
  }

  #overflow(cluster: number, references: number): void {
    const most = this.#maxRefcount;
    const message = `is used ${references} times, more than a refcount of this image can say (${most})`;
    this.#report(cluster, message, references - most);
  }

  #report(cluster: number, problem: string, corruptions: number): void {
    const { clusterSize, references } = this.#context;
    const offset = cluster * clusterSize;
    const message = `the cluster at byte ${offset} ${problem}`;
    const structure = structureOfUse(references.usesAt(cluster));
    const code = "QCOW2_REFCOUNT_TOO_LOW";
    this.#context.report({ code, structure, offset, message }, corruptions);
  }
}

const anyClaim = clusterUse.claimedCopied | clusterUse.claimedShared;
