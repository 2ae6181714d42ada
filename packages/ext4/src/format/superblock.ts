import { crc32c } from "./crc32c.ts";

/** The superblock: 1,024 bytes, at byte 1,024 of the image and at the start of the groups with copies. */
export const superblockBytes = 1024;

/**
 * Offsets in the superblock, in file order. Names as in the kernel, without `s_`.
 *
 * @see The Linux kernel's documentation of ext4, "Super Block"
 */
export const superblockOffsets = {
  inodesCount: 0x00,
  blocksCountLow: 0x04,
  reservedBlocksLow: 0x08,
  freeBlocksLow: 0x0c,
  freeInodes: 0x10,
  firstDataBlock: 0x14,
  logBlockSize: 0x18,
  logClusterSize: 0x1c,
  blocksPerGroup: 0x20,
  clustersPerGroup: 0x24,
  inodesPerGroup: 0x28,
  writeTime: 0x30,
  maxMountCount: 0x36,
  magic: 0x38,
  state: 0x3a,
  errors: 0x3c,
  lastCheck: 0x40,
  revision: 0x4c,
  firstInode: 0x54,
  inodeSize: 0x58,
  groupNumber: 0x5a,
  featureCompat: 0x5c,
  featureIncompat: 0x60,
  featureRoCompat: 0x64,
  uuid: 0x68,
  volumeName: 0x78,
  reservedGdtBlocks: 0xce,
  journalInode: 0xe0,
  hashSeed: 0xec,
  defaultHashVersion: 0xfc,
  journalBackupType: 0xfd,
  descriptorSize: 0xfe,
  defaultMountOptions: 0x100,
  firstMetaGroup: 0x104,
  makeTime: 0x108,
  journalBlocks: 0x10c,
  blocksCountHigh: 0x150,
  freeBlocksHigh: 0x158,
  minExtraSize: 0x15c,
  wantExtraSize: 0x15e,
  flags: 0x160,
  logGroupsPerFlex: 0x174,
  checksumType: 0x175,
  checksumSeed: 0x270,
  checksum: 0x3fc,
} as const;

/** `s_magic`. */
export const superblockMagic = 0xef53;
/** `s_flags`: hashes take bytes as unsigned. */
export const unsignedHashFlag = 2;

/** Completes a superblock with its checksum. */
export function sealSuperblock(bytes: Uint8Array): void {
  const at = superblockOffsets.checksum;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  view.setUint32(at, crc32c(0xffffffff, bytes, 0, at), true);
}
