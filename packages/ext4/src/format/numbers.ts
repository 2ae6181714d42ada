/** One block; the only size that the writer makes. */
export const blockBytes = 4096;
/** Blocks of one group: as many as one bitmap block has bits. */
export const blocksPerGroup = 32_768;
/** One inode. */
export const inodeBytes = 256;
/** Inodes in one block. */
export const inodesPerBlock: number = blockBytes / inodeBytes;
/** One group descriptor, with the 64bit feature. */
export const descriptorBytes = 64;
/** Group descriptors in one block. */
export const descriptorsPerBlock: number = blockBytes / descriptorBytes;
/** Groups whose bitmaps and inode tables lie together. */
export const groupsPerFlex = 16;
/** Block numbers in one block of a block map. */
export const addressesPerBlock = 1024;
/** The longest extent that counts as written, in blocks. */
export const maxExtentBlocks = 32_768;
/** The most blocks that fit 32-bit block numbers. */
export const maxBlocks: number = 2 ** 32 - 1;
/** Names of one inode, and the count from which a directory says 1. */
export const maxLinks = 65_000;

/** Inodes with a fixed meaning. */
export const inodes = {
  root: 2,
  resize: 7,
  journal: 8,
  lostAndFound: 11,
  firstFree: 12,
} as const;

/** Feature bits that the writer sets. */
export const features = {
  hasJournal: 0x4,
  extAttr: 0x8,
  resizeInode: 0x10,
  dirIndex: 0x20,
  filetype: 0x2,
  extents: 0x40,
  bit64: 0x80,
  flexBg: 0x200,
  eaInode: 0x400,
  sparseSuper: 0x1,
  largeFile: 0x2,
  hugeFile: 0x8,
  dirNlink: 0x20,
  extraIsize: 0x40,
  metadataCsum: 0x400,
} as const;

/** Feature bits that only the reader meets. */
export const readFeatures = {
  needsRecovery: 0x4,
  metaBg: 0x10,
  multipleMountProtection: 0x100,
  checksumSeed: 0x2000,
  largeDirectory: 0x4000,
  inlineData: 0x8000,
  caseFold: 0x20000,
  bigAlloc: 0x200,
} as const;

/** Bits of `i_flags`. */
export const inodeFlags = {
  index: 0x1000,
  hugeFile: 0x40000,
  extents: 0x80000,
  eaInode: 0x200000,
  encrypted: 0x800,
  inlineData: 0x10000000,
} as const;

/** Symlinks shorter than this live in their inode. */
export const maxInlineTargetBytes = 59;
