import { crc32c, crc32cOfWord } from "../format/crc32c.ts";
import { inodeOffsets as o } from "../format/inode.ts";
import { inodeFlags } from "../format/numbers.ts";
import { decodeTime } from "../format/time.ts";
import { type NodeTime, type NodeType, typeOfMode } from "../tree/attributes.ts";
import { readError } from "./read-error.ts";
import type { SuperblockInfo } from "./superblock-info.ts";

/** What an inode says. */
export interface InodeRecord {
  /** Its number. */
  readonly number: number;
  /** What kind of file it is. Sockets appear in images made elsewhere. */
  readonly type: NodeType | "socket";
  /** The twelve permission bits. */
  readonly mode: number;
  /** Owner. */
  readonly uid: number;
  /** Group. */
  readonly gid: number;
  /** Size in bytes. */
  readonly sizeBytes: number;
  /** Names. */
  readonly links: number;
  /** `i_flags`. */
  readonly flags: number;
  /** When the content last changed. */
  readonly mtime: NodeTime;
  /** When the inode last changed. */
  readonly ctime: NodeTime;
  /** When the content was last read. */
  readonly atime: NodeTime;
  /** The 60 bytes of the block map. */
  readonly map: Uint8Array;
  /** The attribute block, or 0. */
  readonly xattrBlock: number;
  /** The space behind the fields, where attributes may stand. */
  readonly extra: Uint8Array;
  /** What checksums of its blocks start from; nothing without checksums. */
  readonly checksumSeed: number | undefined;
}

const oldInodeBytes = 128;
const socketBits = 0xc000;

/**
 * Parses an inode.
 *
 * @throws {@link Ext4Error} `EXT4_BAD_CHECKSUM`; `EXT4_BAD_INODE` when it is not in use or impossible.
 */
export function parseInode(number: number, raw: Uint8Array, info: SuperblockInfo): InodeRecord {
  const bytes = raw.slice();
  const view = new DataView(bytes.buffer);
  const word = (at: number): number => view.getUint32(at, true);
  const half = (at: number): number => view.getUint16(at, true);
  const extraSize = info.inodeBytes > oldInodeBytes ? half(o.extraSize) : 0;
  const fieldsEnd = oldInodeBytes + extraSize;
  if (fieldsEnd > info.inodeBytes || extraSize % 4 !== 0) {
    throw badInode(number, `has extra fields of ${extraSize} bytes`);
  }
  // What was never used has no checksum either.
  if (bytes.every((byte) => byte === 0)) throw badInode(number, "is not in use");
  const seed = seedOf(number, word(o.generation), info);
  if (seed !== undefined) validateChecksum(number, bytes, view, extraSize, seed);
  const mode = half(o.mode);
  const type = (mode & 0xf000) === socketBits ? "socket" : typeOfMode(mode);
  if (type === undefined || half(o.links) === 0) throw badInode(number, "is not in use");
  const hasExtra = (offset: number): boolean => offset + 4 <= fieldsEnd;
  const time = (at: number, extraAt: number): NodeTime =>
    decodeTime({ seconds: word(at), extra: hasExtra(extraAt) ? word(extraAt) : 0 });
  const hasHighSize = type === "file" || type === "directory";
  const sizeBytes = word(o.sizeLow) + (hasHighSize ? word(o.sizeHigh) * 2 ** 32 : 0);
  if (!Number.isSafeInteger(sizeBytes)) throw badInode(number, "has a size of 2^53 or more");
  return {
    number,
    type,
    mode: mode & 0o7777,
    uid: half(o.uidLow) + half(o.uidHigh) * 2 ** 16,
    gid: half(o.gidLow) + half(o.gidHigh) * 2 ** 16,
    sizeBytes,
    links: half(o.links),
    flags: word(o.flags),
    mtime: time(o.modified, o.modifiedExtra),
    ctime: time(o.changed, o.changedExtra),
    atime: time(o.accessed, o.accessedExtra),
    map: bytes.subarray(o.block, o.block + 60),
    xattrBlock: word(o.xattrBlockLow) + half(o.xattrBlockHigh) * 2 ** 32,
    extra: bytes.subarray(info.inodeBytes > oldInodeBytes ? fieldsEnd : info.inodeBytes),
    checksumSeed: seed,
  };
}

/** Whether an inode's content lies in the inode itself. */
export function hasInlineData(inode: InodeRecord): boolean {
  return (inode.flags & inodeFlags.inlineData) !== 0;
}

function seedOf(number: number, generation: number, info: SuperblockInfo): number | undefined {
  if (info.checksumSeed === undefined) return undefined;
  return crc32cOfWord(crc32cOfWord(info.checksumSeed, number), generation);
}

function validateChecksum(
  number: number,
  bytes: Uint8Array,
  view: DataView,
  extraSize: number,
  seed: number,
): void {
  const isWide = extraSize >= 4;
  const stored =
    view.getUint16(o.checksumLow, true) +
    (isWide ? view.getUint16(o.checksumHigh, true) * 2 ** 16 : 0);
  const blanked = bytes.slice();
  blanked.fill(0, o.checksumLow, o.checksumLow + 2);
  if (isWide) blanked.fill(0, o.checksumHigh, o.checksumHigh + 2);
  const checksum = crc32c(seed, blanked);
  if (stored === (isWide ? checksum : checksum & 0xffff)) return;
  throw readError("EXT4_BAD_CHECKSUM", `the checksum of inode ${number} is wrong`, {
    inode: number,
  });
}

/** An inode that breaks a rule. */
function badInode(number: number, what: string): Error {
  return readError("EXT4_BAD_INODE", `inode ${number} ${what}`, { inode: number });
}
