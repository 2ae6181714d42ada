import { crc32c, crc32cOfWord } from "./crc32c.ts";
import { descriptorBytes } from "./numbers.ts";

/** What is known of a group. */
export interface GroupDescriptor {
  /** Block of the block bitmap. */
  readonly blockBitmap: number;
  /** Block of the inode bitmap. */
  readonly inodeBitmap: number;
  /** First block of the inode table. */
  readonly inodeTable: number;
  /** Free blocks. */
  readonly freeBlocks: number;
  /** Free inodes. */
  readonly freeInodes: number;
  /** Directories among the inodes in use. */
  readonly directories: number;
  /** Bits of {@link groupFlags}. */
  readonly flags: number;
  /** Inodes at the table's end that were never used. */
  readonly unusedInodes: number;
  /** Checksum of the block bitmap. */
  readonly blockBitmapChecksum: number;
  /** Checksum of the inode bitmap. */
  readonly inodeBitmapChecksum: number;
}

/** `bg_flags`. */
export const groupFlags = {
  /** No inode is in use; the inode bitmap was never written. */
  inodeUninit: 1,
  /** No block is in use but the group's own tables; the block bitmap was never written. */
  blockUninit: 2,
  /** What is not in use of the inode table is zero. */
  inodeTableZeroed: 4,
} as const;

const checksumAt = 0x1e;

/** Makes a group descriptor of 64 bytes. Block numbers have at most 32 bits. */
export function serializeGroupDescriptor(
  group: number,
  descriptor: GroupDescriptor,
  seed: number,
): Uint8Array {
  const bytes = new Uint8Array(descriptorBytes);
  const view = new DataView(bytes.buffer);
  view.setUint32(0x00, descriptor.blockBitmap, true);
  view.setUint32(0x04, descriptor.inodeBitmap, true);
  view.setUint32(0x08, descriptor.inodeTable, true);
  view.setUint16(0x0c, descriptor.freeBlocks, true);
  view.setUint16(0x0e, descriptor.freeInodes, true);
  view.setUint16(0x10, descriptor.directories, true);
  view.setUint16(0x12, descriptor.flags, true);
  view.setUint16(0x18, descriptor.blockBitmapChecksum & 0xffff, true);
  view.setUint16(0x1a, descriptor.inodeBitmapChecksum & 0xffff, true);
  view.setUint16(0x1c, descriptor.unusedInodes, true);
  view.setUint16(0x38, descriptor.blockBitmapChecksum >>> 16, true);
  view.setUint16(0x3a, descriptor.inodeBitmapChecksum >>> 16, true);
  view.setUint16(checksumAt, groupDescriptorChecksum(group, bytes, seed), true);
  return bytes;
}

/** The checksum of a descriptor, whose own field counts as zero. */
export function groupDescriptorChecksum(group: number, bytes: Uint8Array, seed: number): number {
  let crc = crc32c(crc32cOfWord(seed, group), bytes, 0, checksumAt);
  crc = crc32c(crc, new Uint8Array(2));
  return crc32c(crc, bytes, checksumAt + 2, bytes.byteLength) & 0xffff;
}
