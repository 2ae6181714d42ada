import { crc32c } from "../format/crc32c.ts";
import { features, readFeatures } from "../format/numbers.ts";
import { superblockOffsets as o, superblockBytes, superblockMagic } from "../format/superblock.ts";
import { readError } from "./read-error.ts";

/** What a superblock says, checked. */
export interface SuperblockInfo {
  /** Bytes of a block. */
  readonly blockBytes: number;
  /** Blocks of the file system. */
  readonly blockCount: number;
  /** Free blocks. */
  readonly freeBlocks: number;
  /** Inodes. */
  readonly inodeCount: number;
  /** Free inodes. */
  readonly freeInodes: number;
  /** 1 when blocks have 1,024 bytes, else 0. */
  readonly firstDataBlock: number;
  /** Blocks of a group. */
  readonly blocksPerGroup: number;
  /** Inodes of a group. */
  readonly inodesPerGroup: number;
  /** Groups. */
  readonly groupCount: number;
  /** Bytes of an inode. */
  readonly inodeBytes: number;
  /** Bytes of a group descriptor. */
  readonly descriptorBytes: number;
  /** The first group of descriptors that lie in their own groups; past all groups when none do. */
  readonly firstMetaGroup: number;
  /** Whether only some groups hold copies of the superblock. */
  readonly hasSparseCopies: boolean;
  /** Whether structures have checksums, and what they start from. */
  readonly checksumSeed: number | undefined;
  /** Whether directory entries say what kind of file they name. */
  readonly hasFileTypes: boolean;
  /** The volume's name as bytes. */
  readonly label: Uint8Array;
  /** 16 bytes. */
  readonly uuid: Uint8Array;
  /** The three words of features: compatible, incompatible, compatible for reading. */
  readonly features: readonly [compat: number, incompat: number, roCompat: number];
}

const supported: number =
  features.filetype |
  features.extents |
  features.bit64 |
  features.flexBg |
  features.eaInode |
  readFeatures.needsRecovery |
  readFeatures.metaBg |
  readFeatures.multipleMountProtection |
  readFeatures.checksumSeed |
  readFeatures.largeDirectory |
  readFeatures.inlineData |
  readFeatures.caseFold;
const largestBlockLog = 6;

/**
 * Parses and checks a superblock.
 *
 * @throws {@link Ext4Error} `EXT4_TRUNCATED`, `EXT4_BAD_MAGIC`, `EXT4_BAD_SUPERBLOCK`, `EXT4_BAD_CHECKSUM`,
 * `EXT4_UNSUPPORTED_FEATURE`, `EXT4_NEEDS_RECOVERY`.
 */
export function parseSuperblock(bytes: Uint8Array, allowsDirty: boolean): SuperblockInfo {
  if (bytes.byteLength < superblockBytes) {
    throw readError("EXT4_TRUNCATED", "the image ends before its superblock does");
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, superblockBytes);
  const word = (at: number): number => view.getUint32(at, true);
  const half = (at: number): number => view.getUint16(at, true);
  if (half(o.magic) !== superblockMagic) {
    throw readError("EXT4_BAD_MAGIC", "the image has no ext4 superblock", {
      offset: 1024 + o.magic,
    });
  }
  const compat = word(o.featureCompat);
  const incompat = word(o.featureIncompat);
  const roCompat = word(o.featureRoCompat);
  const hasChecksums = (roCompat & features.metadataCsum) !== 0;
  if (hasChecksums && crc32c(0xffffffff, bytes, 0, o.checksum) !== word(o.checksum)) {
    throw readError("EXT4_BAD_CHECKSUM", "the superblock's checksum is wrong", { offset: 1024 });
  }
  refuseFeatures(incompat, roCompat, allowsDirty);
  const has64 = (incompat & features.bit64) !== 0;
  const wide = (low: number, high: number): number =>
    word(low) + (has64 ? word(high) * 2 ** 32 : 0);
  const uuid = bytes.slice(o.uuid, o.uuid + 16);
  const label = bytes.slice(o.volumeName, o.volumeName + 16);
  const labelEnd = label.indexOf(0);
  const blockBytes = 1024 * 2 ** Math.min(word(o.logBlockSize), largestBlockLog + 1);
  const blocksPerGroup = word(o.blocksPerGroup);
  const firstDataBlock = word(o.firstDataBlock);
  const blockCount = wide(o.blocksCountLow, o.blocksCountHigh);
  const ownSeed = (incompat & readFeatures.checksumSeed) !== 0;
  const info: SuperblockInfo = {
    blockBytes,
    blockCount,
    freeBlocks: wide(o.freeBlocksLow, o.freeBlocksHigh),
    inodeCount: word(o.inodesCount),
    freeInodes: word(o.freeInodes),
    firstDataBlock,
    blocksPerGroup,
    inodesPerGroup: word(o.inodesPerGroup),
    groupCount: Math.ceil((blockCount - firstDataBlock) / blocksPerGroup),
    inodeBytes: word(o.revision) === 0 ? 128 : half(o.inodeSize),
    descriptorBytes: has64 ? half(o.descriptorSize) : 32,
    firstMetaGroup: metaGroupsFrom(incompat, word(o.firstMetaGroup)),
    hasSparseCopies: (roCompat & features.sparseSuper) !== 0,
    checksumSeed: hasChecksums
      ? ownSeed
        ? word(o.checksumSeed)
        : crc32c(0xffffffff, uuid)
      : undefined,
    hasFileTypes: (incompat & features.filetype) !== 0,
    label: label.subarray(0, labelEnd < 0 ? label.byteLength : labelEnd),
    uuid,
    features: [compat, incompat, roCompat],
  };
  validateNumbers(info);
  return info;
}

function refuseFeatures(incompat: number, roCompat: number, allowsDirty: boolean): void {
  // Bitmaps count clusters then, and a group has more blocks than a bitmap has bits.
  const bigAlloc = roCompat & readFeatures.bigAlloc;
  const unknown = (incompat & ~supported) >>> 0 || bigAlloc;
  if (unknown !== 0) {
    const message = `the file system needs features that this reader lacks: 0x${unknown.toString(16)}`;
    throw readError("EXT4_UNSUPPORTED_FEATURE", message, { features: unknown });
  }
  if ((incompat & readFeatures.needsRecovery) !== 0 && !allowsDirty) {
    const message = "the file system was not unmounted: its journal has to be replayed first";
    throw readError("EXT4_NEEDS_RECOVERY", message);
  }
}

function metaGroupsFrom(incompat: number, first: number): number {
  return (incompat & readFeatures.metaBg) === 0 ? Number.POSITIVE_INFINITY : first;
}

/** Everything that later arithmetic divides by or trusts. */
function validateNumbers(info: SuperblockInfo): void {
  const { blockBytes, blocksPerGroup, inodesPerGroup, inodeBytes, descriptorBytes } = info;
  const bits = blockBytes * 8;
  const isPowerOfTwo = (value: number): boolean => value > 0 && (value & (value - 1)) === 0;
  const rules: readonly (readonly [string, boolean])[] = [
    ["block size", blockBytes <= 1024 * 2 ** largestBlockLog],
    ["first block", info.firstDataBlock === (blockBytes === 1024 ? 1 : 0)],
    ["count of blocks", info.blockCount > info.firstDataBlock && info.blockCount <= 2 ** 48],
    ["blocks of a group", blocksPerGroup > 0 && blocksPerGroup <= bits],
    ["inodes of a group", inodesPerGroup > 0 && inodesPerGroup <= bits],
    ["inode size", isPowerOfTwo(inodeBytes) && inodeBytes >= 128 && inodeBytes <= blockBytes],
    [
      "descriptor size",
      isPowerOfTwo(descriptorBytes) && descriptorBytes >= 32 && descriptorBytes <= blockBytes,
    ],
    ["count of inodes", info.inodeCount > 0 && info.inodeCount <= info.groupCount * inodesPerGroup],
  ];
  for (const [what, holds] of rules) {
    if (holds) continue;
    throw readError("EXT4_BAD_SUPERBLOCK", `the superblock's ${what} is impossible`, {
      field: what,
    });
  }
}
