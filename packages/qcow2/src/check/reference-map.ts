import type { MemoryBudget } from "../bytes/budget.ts";
import type { Qcow2Structure } from "../errors.ts";

/** What a cluster is used for, as bits; the last two say what the entries that point at it claim. */
export const clusterUse = {
  header: 0x0001,
  l1: 0x0002,
  l2: 0x0004,
  refcountTable: 0x0008,
  refcountBlock: 0x0010,
  snapshotTable: 0x0020,
  snapshotL1: 0x0040,
  snapshotL2: 0x0080,
  bitmapDirectory: 0x0100,
  bitmapTable: 0x0200,
  bitmapData: 0x0400,
  encryption: 0x0800,
  data: 0x1000,
  compressed: 0x2000,
  claimedCopied: 0x4000,
  claimedShared: 0x8000,
} as const;

/** The bits of {@link clusterUse} that say what a cluster is. */
export const useMask: number = (1 << 14) - 1;

/** Uses that may stand for the same cluster: tables and data shared with snapshots. */
const sharable = [
  clusterUse.l2 | clusterUse.snapshotL2,
  clusterUse.data | clusterUse.compressed,
] as const;

/** The name of a use for people. */
export function structureOfUse(use: number): Qcow2Structure {
  const names: readonly Qcow2Structure[] = [
    "header",
    "L1 table",
    "L2 table",
    "refcount table",
    "refcount block",
    "snapshot table",
    "snapshot L1 table",
    "snapshot L2 table",
    "bitmap directory",
    "bitmap table",
    "bitmap data",
    "encryption header",
    "data cluster",
    "compressed cluster",
  ];
  return names[31 - Math.clz32(use & useMask)] ?? "file";
}

const pageBits = 12;

/** Clusters of a page. */
export const pageClusters: number = 1 << pageBits;

/** Counts and uses of {@link pageClusters} neighbouring clusters. */
export interface ReferencePage {
  /** How often each cluster is referenced. */
  readonly counts: Uint32Array;
  /** What each is used for: bits of {@link clusterUse}. */
  readonly uses: Uint16Array;
}

const pageBytes = pageClusters * 6;
const smallClusters = 2 ** 31;

/** Counts references to clusters, in typed arrays that exist only where there are references. */
export class ReferenceMap {
  readonly #pages = new Map<number, ReferencePage>();
  readonly #budget: MemoryBudget;
  #lastIndex = -1;
  #last: ReferencePage | undefined;

  constructor(budget: MemoryBudget) {
    this.#budget = budget;
  }

  /**
   * Counts references to one cluster.
   *
   * @returns The uses that it had before and that it may not have together with the new one; 0 when there is no conflict.
   */
  add(cluster: number, use: number, weight: number): number {
    if (cluster < smallClusters) return this.addSmall(cluster | 0, use, weight);
    const pageIndex = Math.floor(cluster / pageClusters);
    return addToPage(this.#pageAt(pageIndex), cluster % pageClusters, use, weight);
  }

  /** {@link add} for clusters below 2^31, whose numbers stay machine integers: every cluster of most images. */
  addSmall(cluster: number, use: number, weight: number): number {
    return addToPage(this.#pageAt(cluster >> pageBits), cluster & (pageClusters - 1), use, weight);
  }

  /** How often a cluster is referenced. */
  countAt(cluster: number): number {
    return this.page(Math.floor(cluster / pageClusters))?.counts[cluster % pageClusters] ?? 0;
  }

  /** What a cluster is used for. */
  usesAt(cluster: number): number {
    return this.page(Math.floor(cluster / pageClusters))?.uses[cluster % pageClusters] ?? 0;
  }

  /** The page of a cluster, when any of its clusters is referenced. */
  page(pageIndex: number): ReferencePage | undefined {
    return this.#pages.get(pageIndex);
  }

  /** The numbers of all pages, lowest first. */
  pageIndexes(): number[] {
    return [...this.#pages.keys()].sort((a, b) => a - b);
  }

  #pageAt(pageIndex: number): ReferencePage {
    if (pageIndex === this.#lastIndex && this.#last !== undefined) return this.#last;
    const page = this.#pages.get(pageIndex) ?? this.#newPage(pageIndex);
    this.#lastIndex = pageIndex;
    this.#last = page;
    return page;
  }

  #newPage(pageIndex: number): ReferencePage {
    this.#budget.take(pageBytes, "file");
    const page = {
      counts: new Uint32Array(pageClusters),
      uses: new Uint16Array(pageClusters),
    };
    this.#pages.set(pageIndex, page);
    return page;
  }
}

function addToPage(page: ReferencePage, index: number, use: number, weight: number): number {
  const before = page.uses[index] as number;
  page.uses[index] = before | use;
  page.counts[index] = (page.counts[index] as number) + weight;
  const known = before & useMask;
  return known === 0 ? 0 : conflict(known, use & useMask);
}

function conflict(known: number, use: number): number {
  const all = known | use;
  const isSameTable = (known & use & clusterUse.l2) !== 0;
  return !isSameTable && sharable.some((pair) => (all & ~pair) === 0) ? 0 : known;
}
