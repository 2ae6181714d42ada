import { crc32c, crc32cOfWord } from "./crc32c.ts";
import { inodeBytes } from "./numbers.ts";
import { encodeTime } from "./time.ts";

/** Everything of an inode but its block map and its attributes. */
export interface InodeFields {
  /** Type and permissions. */
  readonly mode: number;
  /** Owner. */
  readonly uid: number;
  /** Group. */
  readonly gid: number;
  /** Size in bytes. */
  readonly size: number;
  /** Names. */
  readonly links: number;
  /** Blocks of content, of extent trees and of attributes. */
  readonly blocks: number;
  /** `i_flags`. */
  readonly flags: number;
  /** The attribute block, or 0. */
  readonly xattrBlock: number;
  /** All four times. */
  readonly seconds: number;
  /** All four times. */
  readonly nanoseconds: number;
}

/**
 * Offsets in an inode of 256 bytes, in file order.
 *
 * @see The Linux kernel's documentation of ext4, "Index Nodes"
 */
export const inodeOffsets = {
  mode: 0x00,
  uidLow: 0x02,
  sizeLow: 0x04,
  accessed: 0x08,
  changed: 0x0c,
  modified: 0x10,
  gidLow: 0x18,
  links: 0x1a,
  blocksLow: 0x1c,
  flags: 0x20,
  version: 0x24,
  block: 0x28,
  generation: 0x64,
  xattrBlockLow: 0x68,
  sizeHigh: 0x6c,
  blocksHigh: 0x74,
  xattrBlockHigh: 0x76,
  uidHigh: 0x78,
  gidHigh: 0x7a,
  checksumLow: 0x7c,
  extraSize: 0x80,
  checksumHigh: 0x82,
  changedExtra: 0x84,
  modifiedExtra: 0x88,
  accessedExtra: 0x8c,
  created: 0x90,
  createdExtra: 0x94,
} as const;

/** Bytes of the fields behind the first 128. */
export const extraInodeBytes = 32;
/** `i_blocks` counts sectors. */
const sectorsPerBlock = 8;

/** Writes an inode's fields at `at`; block map, attributes and checksum are left to others. */
export function writeInodeFields(view: DataView, at: number, fields: InodeFields): void {
  const o = inodeOffsets;
  const time = encodeTime(fields.seconds, fields.nanoseconds);
  const sectors = fields.blocks * sectorsPerBlock;
  view.setUint16(at + o.mode, fields.mode, true);
  view.setUint16(at + o.uidLow, fields.uid & 0xffff, true);
  view.setUint16(at + o.uidHigh, fields.uid >>> 16, true);
  view.setUint16(at + o.gidLow, fields.gid & 0xffff, true);
  view.setUint16(at + o.gidHigh, fields.gid >>> 16, true);
  view.setUint32(at + o.sizeLow, fields.size % 2 ** 32, true);
  view.setUint32(at + o.sizeHigh, Math.floor(fields.size / 2 ** 32), true);
  view.setUint16(at + o.links, fields.links, true);
  view.setUint32(at + o.blocksLow, sectors % 2 ** 32, true);
  view.setUint16(at + o.blocksHigh, Math.floor(sectors / 2 ** 32), true);
  view.setUint32(at + o.flags, fields.flags, true);
  view.setUint32(at + o.xattrBlockLow, fields.xattrBlock, true);
  view.setUint16(at + o.extraSize, extraInodeBytes, true);
  for (const offset of [o.accessed, o.changed, o.modified, o.created]) {
    view.setUint32(at + offset, time.seconds, true);
  }
  for (const offset of [o.accessedExtra, o.changedExtra, o.modifiedExtra, o.createdExtra]) {
    view.setUint32(at + offset, time.extra, true);
  }
}

/** The start value of every checksum in which an inode's number takes part; generations are 0. */
export function inodeSeed(fileSystemSeed: number, inode: number): number {
  return crc32cOfWord(crc32cOfWord(fileSystemSeed, inode), 0);
}

/** Completes an inode with its checksum. */
export function sealInode(bytes: Uint8Array, view: DataView, at: number, seed: number): void {
  view.setUint16(at + inodeOffsets.checksumLow, 0, true);
  view.setUint16(at + inodeOffsets.checksumHigh, 0, true);
  const checksum = crc32c(seed, bytes, at, at + inodeBytes);
  view.setUint16(at + inodeOffsets.checksumLow, checksum & 0xffff, true);
  view.setUint16(at + inodeOffsets.checksumHigh, checksum >>> 16, true);
}
