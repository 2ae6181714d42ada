import { blockBytes } from "../format/numbers.ts";
import { type FileTree, type NodeId, storeOf } from "../tree/file-tree.ts";
import type { TreeStore } from "../tree/tree-store.ts";
import { Allocation } from "./allocation.ts";
import type { ExtentTable } from "./extent-table.ts";
import { type Fit, Fitter } from "./fit.ts";
import { type Inventory, takeInventory } from "./inventory.ts";
import { type PlanExt4Options, type PlanSettings, validatePlanOptions } from "./options.ts";

/** A piece of a file's content and its place in the image, in bytes. */
export interface ContentExtent {
  /** Where the piece starts in the file. */
  readonly fileOffset: number;
  /** Where it starts in the image. */
  readonly imageOffset: number;
  /** Its length; it ends with the file at the latest. */
  readonly length: number;
}

/** Everything that the writer needs to know. */
export interface PlanParts {
  /** The tree's columns. */
  readonly store: TreeStore;
  /** The checked options. */
  readonly settings: PlanSettings;
  /** What is stored. */
  readonly inventory: Inventory;
  /** Tables and sizes. */
  readonly fit: Fit;
  /** Where content lies. */
  readonly extents: ExtentTable;
  /** The block that maps the resize inode, or 0. */
  readonly resizeBlock: number;
}

/** The parts of a plan, for the writer. */
export let partsOf: (plan: Ext4Plan) => PlanParts;

/** Where every byte of a file system goes. Made by {@link planExt4}; holds until the tree is changed. */
export class Ext4Plan {
  readonly #parts: PlanParts;
  /** The size of the image in bytes. */
  readonly sizeBytes: number;
  /** The size that would do without any free space. */
  readonly minimumSizeBytes: number;

  /** @internal */
  constructor(parts: PlanParts, sizeBytes: number, minimumSizeBytes: number) {
    this.#parts = parts;
    this.sizeBytes = sizeBytes;
    this.minimumSizeBytes = minimumSizeBytes;
  }

  static {
    partsOf = (plan) => plan.#parts;
  }

  /** Free space in the file system, in bytes. */
  get freeBytes(): number {
    return this.#parts.fit.freeBlocks * blockBytes;
  }

  /** Inodes in use, the eleven reserved ones included. */
  get usedInodes(): number {
    return this.#parts.inventory.lastInode;
  }

  /** How many nodes have a time before 1901-12-13 or after 2446-05-10, which becomes the nearest one in between. */
  get clampedTimes(): number {
    return this.#parts.inventory.clampedTimes;
  }

  /** The inode that a node gets; 0 for a dead one. */
  inodeOf(node: NodeId): number {
    return this.#parts.inventory.inodeOf[node] ?? 0;
  }

  /**
   * Where a file's content belongs in the image, in rising order of file offset. Whole blocks around the file's ranges
   * of data, cut at its end; what is not written reads as zeros. Nothing for anything but a file.
   */
  extents(node: NodeId): readonly ContentExtent[] {
    const { store, extents } = this.#parts;
    const inode = this.inodeOf(node);
    const sizeBytes = store.size[node] as number;
    if (inode === 0 || sizeBytes === 0) return [];
    const first = extents.start[inode] as number;
    return Array.from({ length: extents.count[inode] as number }, (_, i) => {
      const fileOffset = (extents.logical[first + i] as number) * blockBytes;
      const length = (extents.length[first + i] as number) * blockBytes;
      return {
        fileOffset,
        imageOffset: (extents.physical[first + i] as number) * blockBytes,
        length: Math.min(length, sizeBytes - fileOffset),
      };
    });
  }
}

/**
 * Plans an ext4 file system for a tree: pure arithmetic, the same result for the same tree and options.
 *
 * @throws {@link Ext4Error} `EXT4_SIZE_TOO_SMALL` with the smallest size in its details, `EXT4_TOO_LARGE`,
 * `EXT4_BAD_OPTION`, `EXT4_XATTR_TOO_LARGE`, `EXT4_DIRECTORY_TOO_LARGE`, `EXT4_BAD_LOST_AND_FOUND`.
 */
export function planExt4(tree: FileTree, options: PlanExt4Options = {}): Ext4Plan {
  const settings = validatePlanOptions(options);
  const store = storeOf(tree);
  const inventory = takeInventory(store, settings.hashSeed);
  const allocation = new Allocation(store, inventory);
  const fitter = new Fitter(allocation, inventory.lastInode, settings);
  const smallest = fitter.smallest();
  const fit = fitWanted(fitter, settings, smallest);
  return new Ext4Plan(
    {
      store,
      settings,
      inventory,
      fit,
      extents: allocation.extents,
      resizeBlock: allocation.resizeBlock,
    },
    (settings.sizeBlocks ?? fit.blockCount) * blockBytes,
    smallest.blockCount * blockBytes,
  );
}

function fitWanted(fitter: Fitter, settings: PlanSettings, smallest: Fit): Fit {
  if (settings.sizeBlocks !== undefined) return fitter.ofSize(settings.sizeBlocks, smallest);
  if (settings.freeBlocks === 0) return smallest;
  return fitter.withFree(settings.freeBlocks, smallest);
}
