import { crc32c } from "../format/crc32c.ts";
import { inodeFlags } from "../format/numbers.ts";
import { findRun } from "./block-map.ts";
import { ClaimedBlocks } from "./claimed-blocks.ts";
import type { ContentReader } from "./content.ts";
import { hasInlineData, type InodeRecord } from "./inode-record.ts";
import { readError } from "./read-error.ts";
import type { Volume } from "./volume.ts";

/** One name in a directory, and the inode it stands for. */
export interface Ext4DirectoryEntry {
  /** One component of a path, as bytes. */
  readonly name: Uint8Array;
  /** The inode's number. */
  readonly inode: number;
}

/** More than an index of two levels can hold. */
const maxDirectoryBlocks: number = 2 ** 19;
const headerBytes = 8;
const tailBytes = 12;
const tailType = 0xde;
const rootIndexAt = 32;
const nodeIndexAt = 8;

/**
 * The names of a directory in the order in which they are stored, without `.` and `..`.
 *
 * @param claimed - Blocks of directories that were read before: none is read twice, so that names stay in proportion to
 * what the image stores.
 */
export async function* readEntries(
  volume: Volume,
  content: ContentReader,
  directory: InodeRecord,
  claimed: ClaimedBlocks = new ClaimedBlocks(),
): AsyncGenerator<Ext4DirectoryEntry> {
  if (hasInlineData(directory)) {
    const bytes = await content.inline(directory);
    // Four bytes name the parent; entries do not cross from the map into the attributes.
    yield* parseEntries(volume, directory, bytes.subarray(0, 60), 4);
    yield* parseEntries(volume, directory, bytes.subarray(60), 0);
    return;
  }
  const { blockBytes } = volume.info;
  const blocks = Math.ceil(directory.sizeBytes / blockBytes);
  if (blocks > maxDirectoryBlocks) {
    const message = `directory ${directory.number} has ${blocks} blocks, more than ${maxDirectoryBlocks}`;
    throw readError("EXT4_OVER_LIMIT", message, { inode: directory.number });
  }
  for (let logical = 0; logical < blocks; ) {
    const run = await findRun(volume, directory, logical);
    // Many directories can share a map of a million holes: each would cost its time again.
    if (run.physical === 0) throw badDirectory(directory, "a hole");
    const count = Math.min(run.blocks, blocks - logical);
    for (let i = 0; i < count; i++) {
      if (claimed.claim(run.physical + i, 1) !== undefined) {
        throw badDirectory(directory, "a block that was read before");
      }
      const bytes = await volume.block(run.physical + i);
      validateChecksum(directory, bytes, logical + i);
      yield* parseEntries(volume, directory, bytes, 0);
    }
    logical += run.blocks;
  }
}

function* parseEntries(
  volume: Volume,
  directory: InodeRecord,
  bytes: Uint8Array,
  start: number,
): Generator<Ext4DirectoryEntry> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = start; at < bytes.byteLength; ) {
    if (at + headerBytes > bytes.byteLength) throw badDirectory(directory, "an entry cut off");
    const inode = view.getUint32(at, true);
    const rawLength = view.getUint16(at + 4, true);
    // Blocks of 64 KiB are too long for the field.
    const isWhole = volume.info.blockBytes === 65_536 && (rawLength === 0 || rawLength === 65_535);
    const length = isWhole ? volume.info.blockBytes : rawLength;
    const nameLength = volume.info.hasFileTypes
      ? (bytes[at + 6] as number)
      : view.getUint16(at + 6, true);
    const fits = length >= headerBytes && length % 4 === 0 && headerBytes + nameLength <= length;
    if (!fits || at + length > bytes.byteLength) {
      throw badDirectory(directory, "an entry that leaves its block");
    }
    if (inode !== 0) {
      const name = bytes.slice(at + headerBytes, at + headerBytes + nameLength);
      if (nameLength === 0 || nameLength > 255 || name.includes(0) || name.includes(0x2f)) {
        throw badDirectory(directory, "a name that is none");
      }
      if (!isDot(name)) yield { name, inode };
    }
    at += length;
  }
}

function isDot(name: Uint8Array): boolean {
  return name[0] === 0x2e && (name.byteLength === 1 || (name.byteLength === 2 && name[1] === 0x2e));
}

/** Checks a block of names, or a block of an index: its root is the first, the others look like one empty entry. */
function validateChecksum(directory: InodeRecord, bytes: Uint8Array, logical: number): void {
  const seed = directory.checksumSeed;
  if (seed === undefined) return;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const isIndexed = (directory.flags & inodeFlags.index) !== 0;
  const isNode = isIndexed && view.getUint32(0, true) === 0 && isWholeBlock(view, bytes.byteLength);
  const isSound =
    isIndexed && (logical === 0 || isNode)
      ? isIndexSound(seed, bytes, view, logical === 0 ? rootIndexAt : nodeIndexAt)
      : isLeafSound(seed, bytes, view);
  if (isSound) return;
  const message = `the checksum of block ${logical} of directory ${directory.number} is wrong`;
  throw readError("EXT4_BAD_CHECKSUM", message, { inode: directory.number, block: logical });
}

function isWholeBlock(view: DataView, blockBytes: number): boolean {
  const length = view.getUint16(4, true);
  return length === blockBytes || (blockBytes === 65_536 && (length === 0 || length === 65_535));
}

function isLeafSound(seed: number, bytes: Uint8Array, view: DataView): boolean {
  const at = bytes.byteLength - tailBytes;
  const isTail =
    view.getUint32(at, true) === 0 &&
    view.getUint16(at + 4, true) === tailBytes &&
    bytes[at + 7] === tailType;
  return isTail && crc32c(seed, bytes, 0, at) === view.getUint32(at + 8, true);
}

function isIndexSound(seed: number, bytes: Uint8Array, view: DataView, at: number): boolean {
  const limit = view.getUint16(at, true);
  const count = view.getUint16(at + 2, true);
  const tail = at + limit * 8;
  if (count > limit || tail + 8 > bytes.byteLength) return false;
  let crc = crc32c(seed, bytes, 0, at + count * 8);
  crc = crc32c(crc, bytes, tail, tail + 4);
  return crc32c(crc, new Uint8Array(4)) === view.getUint32(tail + 4, true);
}

function badDirectory(directory: InodeRecord, what: string): Error {
  const message = `directory ${directory.number} holds ${what}`;
  return readError("EXT4_BAD_DIRECTORY", message, { inode: directory.number });
}
