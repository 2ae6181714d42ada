import { crc32c, crc32cOfWord } from "../format/crc32c.ts";
import { blockBytes, inodeBytes } from "../format/numbers.ts";
import type { ValueInode } from "../plan/inventory.ts";
import {
  inInodeStart,
  type StoredXattr,
  xattrBlockHeaderBytes,
  xattrEntryBytes,
  xattrValueBytes,
} from "../plan/xattr-layout.ts";

const magic = 0xea020000;
const checksumAt = 16;

/** Gives the inodes of values that are stored outside, in the order of the layout. */
export type NextValueInode = () => ValueInode;

/** Writes the attributes that an inode holds itself. */
export function writeInodeXattrs(
  bytes: Uint8Array,
  view: DataView,
  inodeAt: number,
  xattrs: readonly StoredXattr[],
  nextValueInode: NextValueInode,
  seed: number,
): void {
  if (xattrs.length === 0) return;
  const start = inodeAt + inInodeStart;
  view.setUint32(start, magic, true);
  const end = inodeAt + inodeBytes;
  writeEntries(bytes, view, start + 4, end, start + 4, xattrs, nextValueInode, seed);
}

/** Makes an inode's attribute block. */
export function buildXattrBlock(
  block: number,
  xattrs: readonly StoredXattr[],
  nextValueInode: NextValueInode,
  seed: number,
): Uint8Array {
  const bytes = new Uint8Array(blockBytes);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, magic, true);
  view.setUint32(4, 1, true);
  view.setUint32(8, 1, true);
  writeEntries(bytes, view, xattrBlockHeaderBytes, blockBytes, 0, xattrs, nextValueInode, seed);
  const ofBlock = crc32cOfWord(crc32cOfWord(seed, block), 0);
  view.setUint32(checksumAt, crc32c(ofBlock, bytes), true);
  return bytes;
}

/** The hash of a value that has an inode of its own. */
export function valueHash(value: Uint8Array, seed: number): number {
  return crc32c(seed, value);
}

/** Writes entries from `at` on and their values from `end` back; value offsets count from `base`. */
function writeEntries(
  bytes: Uint8Array,
  view: DataView,
  at: number,
  end: number,
  base: number,
  xattrs: readonly StoredXattr[],
  nextValueInode: NextValueInode,
  seed: number,
): void {
  let entry = at;
  let values = end;
  for (const xattr of xattrs) {
    const { index, suffix, value, place } = xattr;
    values -= xattrValueBytes(xattr);
    bytes[entry] = suffix.byteLength;
    bytes[entry + 1] = index;
    view.setUint32(entry + 8, value.byteLength, true);
    bytes.set(suffix, entry + 16);
    if (place === "inline") {
      view.setUint16(entry + 2, value.byteLength === 0 ? 0 : values - base, true);
      bytes.set(value, values);
      const padded = bytes.subarray(values, values + xattrValueBytes(xattr));
      view.setUint32(entry + 12, entryHash(suffix, padded), true);
    } else {
      view.setUint32(entry + 4, nextValueInode().inode, true);
      const word = new Uint8Array(4);
      new DataView(word.buffer).setUint32(0, valueHash(value, seed), true);
      view.setUint32(entry + 12, entryHash(suffix, word), true);
    }
    entry += xattrEntryBytes(xattr);
  }
}

/** The hash of an entry: its name byte by byte, as signed numbers, then its value word by word. */
function entryHash(suffix: Uint8Array, paddedValue: Uint8Array): number {
  let hash = 0;
  for (const byte of suffix) hash = ((hash << 5) | (hash >>> 27)) ^ ((byte << 24) >> 24);
  const view = new DataView(paddedValue.buffer, paddedValue.byteOffset, paddedValue.byteLength);
  for (let i = 0; i < paddedValue.byteLength; i += 4) {
    hash = ((hash << 16) | (hash >>> 16)) ^ view.getUint32(i, true);
  }
  return hash >>> 0;
}
