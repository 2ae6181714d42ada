/** How much space something takes, in bytes. */
export interface Usage {
  /** Sizes of the files as a listing shows them, holes included. */
  readonly logicalBytes: number;
  /** What the files occupy on the file system. */
  readonly allocatedBytes: number;
  /** The part of `allocatedBytes` that something else of the same kind uses too. */
  readonly sharedBytes: number;
  /** The part of `allocatedBytes` that nothing else of the same kind uses. */
  readonly uniqueBytes: number;
  /** What a prune with no further option would give back. */
  readonly reclaimableBytes: number;
}

/** Something that takes space: an image, a base, a box, a file in quarantine. */
export interface UsageItem extends Usage {
  /** Its name: of an image or a box, the key of a base, the path of a file. */
  readonly name: string;
  /** Who uses it, or why it stays; empty when nothing does. */
  readonly usedBy: readonly string[];
}

/** Everything of one kind. Each file counts once, however many items use it. */
export interface UsageGroup extends Usage {
  /** One by one. */
  readonly items: readonly UsageItem[];
}

/** Where the space of a home goes. */
export interface StorageUsage {
  /** All groups together. */
  readonly total: Usage;
  /** Blobs of images and partial downloads. */
  readonly images: UsageGroup;
  /** Base disks. */
  readonly bases: UsageGroup;
  /** Disks, logs and the like of each box. */
  readonly boxes: UsageGroup;
  /** Damaged disks that were moved aside. */
  readonly quarantine: UsageGroup;
  /** Temporary files in the home. */
  readonly temporary: UsageGroup;
}

/** Nothing at all. */
export const noUsage: Usage = {
  logicalBytes: 0,
  allocatedBytes: 0,
  sharedBytes: 0,
  uniqueBytes: 0,
  reclaimableBytes: 0,
};

/** Adds up. */
export function sumUsage(parts: readonly Usage[]): Usage {
  return parts.reduce(
    (sum, part) => ({
      logicalBytes: sum.logicalBytes + part.logicalBytes,
      allocatedBytes: sum.allocatedBytes + part.allocatedBytes,
      sharedBytes: sum.sharedBytes + part.sharedBytes,
      uniqueBytes: sum.uniqueBytes + part.uniqueBytes,
      reclaimableBytes: sum.reclaimableBytes + part.reclaimableBytes,
    }),
    noUsage,
  );
}
