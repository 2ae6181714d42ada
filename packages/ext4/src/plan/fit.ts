import { Ext4Error } from "../errors.ts";
import { blockBytes, blocksPerGroup, inodesPerBlock, maxBlocks } from "../format/numbers.ts";
import type { Allocation } from "./allocation.ts";
import { computeGeometry, type Geometry, superblockBlocks } from "./geometry.ts";
import { type PlanSettings, tooLarge } from "./options.ts";

/** A geometry in which everything has its place. */
export interface Fit {
  /** Where the tables lie. */
  readonly geometry: Geometry;
  /** Blocks of the file system. */
  readonly blockCount: number;
  /** Blocks of the journal. */
  readonly journalBlocks: number;
  /** The first free block: all before it are taken. */
  readonly end: number;
  /** Blocks that nothing takes. */
  readonly freeBlocks: number;
}

/** Inodes of a group, also of one that growth adds: one for 16 KiB. */
const usualInodesPerGroup = 8192;
const maxInodesPerGroup = 32_768;
const bytesPerInode = 16_384;
/** Room in a short last group below which tools drop it. */
const minSpareBlocks = 50;

/** Blocks of the journal by the blocks of the file system, as mke2fs has it. */
const journalSizes: readonly (readonly [below: number, blocks: number])[] = [
  [2 ** 15, 1024],
  [2 ** 18, 4096],
  [2 ** 19, 8192],
  [2 ** 22, 16_384],
  [2 ** 23, 32_768],
  [2 ** 25, 65_536],
];
const largestJournal = 262_144;

/** Finds the geometry for an allocation; what {@link Allocation.place} was called with last is the result's. */
export class Fitter {
  readonly #allocation: Allocation;
  readonly #settings: PlanSettings;
  readonly #usedInodes: number;

  constructor(allocation: Allocation, usedInodes: number, settings: PlanSettings) {
    this.#allocation = allocation;
    this.#settings = settings;
    this.#usedInodes = usedInodes;
  }

  /** The smallest file system that holds everything. Throws `EXT4_TOO_LARGE`. */
  smallest(): Fit {
    const content = this.#allocation.countBlocks();
    const usable = blocksPerGroup - 2 - usualInodesPerGroup / inodesPerBlock;
    const byBlocks = Math.ceil(content / usable);
    const byInodes = Math.ceil(this.#usedInodes / maxInodesPerGroup);
    for (let groups = Math.max(1, byBlocks, byInodes); ; groups++) {
      const capacity = groups * blocksPerGroup;
      if (capacity > maxBlocks) throw tooLarge();
      const found = this.#fit(groups, capacity, 0);
      if (found !== undefined) return this.#shrunk(found);
    }
  }

  /**
   * A file system of a given size, in which at most a short last group stays unused.
   *
   * @throws {@link Ext4Error} `EXT4_SIZE_TOO_SMALL` with the smallest size.
   */
  ofSize(sizeBlocks: number, smallest: Fit): Fit {
    if (sizeBlocks < smallest.blockCount) {
      const minimumSizeBytes = smallest.blockCount * blockBytes;
      const sizeBytes = sizeBlocks * blockBytes;
      throw new Ext4Error({
        code: "EXT4_SIZE_TOO_SMALL",
        message: `the content needs ${minimumSizeBytes} bytes, the size is ${sizeBytes}`,
        details: { minimumSizeBytes, sizeBytes },
        hint: `give a size of at least ${minimumSizeBytes} bytes`,
      });
    }
    const spare = sizeBlocks - smallest.blockCount;
    const groups = Math.ceil(sizeBlocks / blocksPerGroup);
    return (
      this.#fit(groups, sizeBlocks, spare) ??
      // What one more group needs for its tables can be more than it brings.
      (groups > 1 ? this.#fit(groups - 1, (groups - 1) * blocksPerGroup, spare) : undefined) ??
      this.#again(smallest)
    );
  }

  /** The smallest file system with that many free blocks. Throws `EXT4_TOO_LARGE`. */
  withFree(freeBlocks: number, smallest: Fit): Fit {
    let size = smallest.blockCount + freeBlocks - smallest.freeBlocks;
    for (;;) {
      if (size > maxBlocks) throw tooLarge();
      const fit = this.ofSize(Math.max(size, smallest.blockCount), smallest);
      if (fit.freeBlocks >= freeBlocks) return fit;
      // A last group that is too short to be used has to be left behind.
      size = Math.max(size + freeBlocks - fit.freeBlocks, size + 1);
    }
  }

  /** Cuts what is not needed off the end. */
  #shrunk(fit: Fit): Fit {
    const { geometry, end, journalBlocks } = fit;
    const lastStart = (geometry.groupCount - 1) * blocksPerGroup;
    const tablesEnd = geometry.regionEnds.at(-1) as number;
    const short = lastStart + minimalLastGroup(geometry);
    const blockCount = Math.max(end, tablesEnd, geometry.groupCount === 1 ? 0 : short);
    return this.#result(geometry, blockCount, journalBlocks, end);
  }

  #again({ geometry, blockCount, journalBlocks }: Fit): Fit {
    const end = this.#allocation.place(geometry, journalBlocks);
    return this.#result(geometry, blockCount, journalBlocks, end);
  }

  /** Tries so many groups with so many blocks. */
  #fit(groups: number, blockCount: number, spareBlocks: number): Fit | undefined {
    const spareInodes = Math.floor((spareBlocks * blockBytes) / bytesPerInode);
    const perGroup = Math.ceil((this.#usedInodes + spareInodes) / groups);
    const rounded = Math.ceil(perGroup / inodesPerBlock) * inodesPerBlock;
    const wanted = Math.max(usualInodesPerGroup, rounded);
    const inodesPerGroup = Math.min(wanted, maxInodesPerGroup);
    if (inodesPerGroup * groups < this.#usedInodes) return undefined;
    const geometry = computeGeometry(groups, inodesPerGroup);
    const lastGroupBlocks = blockCount - (groups - 1) * blocksPerGroup;
    if (groups > 1 && lastGroupBlocks < minimalLastGroup(geometry)) return undefined;
    if ((geometry.regionEnds.at(-1) as number) > blockCount) return undefined;
    const journalBlocks = this.#journalBlocks(groups);
    const end = this.#allocation.place(geometry, journalBlocks);
    if (end > blockCount) return undefined;
    return this.#result(geometry, blockCount, journalBlocks, end);
  }

  #journalBlocks(groups: number): number {
    if (!this.#settings.hasJournal) return 0;
    const atLeast = (groups - 1) * blocksPerGroup + 1;
    return journalSizes.find(([below]) => atLeast < below)?.[1] ?? largestJournal;
  }

  #result(geometry: Geometry, blockCount: number, journalBlocks: number, end: number): Fit {
    let freeBlocks = blockCount - end;
    for (const [i, start] of geometry.regionStarts.entries()) {
      if (start >= end) freeBlocks -= (geometry.regionEnds[i] as number) - start;
    }
    return { geometry, blockCount, journalBlocks, end, freeBlocks };
  }
}

/** The fewest blocks of a last group that tools keep when they resize. */
function minimalLastGroup(geometry: Geometry): number {
  const overhead = superblockBlocks(geometry.groupCount - 1, geometry);
  return overhead + 2 + geometry.inodeTableBlocks + minSpareBlocks;
}
