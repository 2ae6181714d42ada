import { crc32c } from "../format/crc32c.ts";
import { groupFlags } from "../format/group-descriptor.ts";
import { readError } from "./read-error.ts";
import type { Volume } from "./volume.ts";

/** What a group's bitmap says. */
export interface GroupBitmap {
  /** The bits, and how many of them count. */
  readonly bits: Uint8Array;
  /** How many of them are clear. */
  readonly free: number;
}

const blocksAt = { place: 0x00, checksum: 0x18, free: 0x0c } as const;
const inodesAt = { place: 0x04, checksum: 0x1a, free: 0x0e } as const;
const upperHalf = 0x20;

/**
 * Reads a group's bitmap of blocks or of inodes.
 *
 * @returns Nothing when it was never written: no block but the group's tables, or no inode, is in use.
 * @throws Ext4Error `EXT4_BAD_CHECKSUM`; `EXT4_BAD_SUPERBLOCK` when it does not have the free bits that its group counts.
 */
export async function readBitmap(
  volume: Volume,
  group: number,
  kind: "blocks" | "inodes",
): Promise<GroupBitmap | undefined> {
  const { info } = volume;
  const at = kind === "blocks" ? blocksAt : inodesAt;
  const descriptor = await volume.descriptor(group);
  const unwritten = kind === "blocks" ? groupFlags.blockUninit : groupFlags.inodeUninit;
  if (info.checksumSeed !== undefined && (descriptor.getUint16(0x12, true) & unwritten) !== 0) {
    return undefined;
  }
  const bits = await volume.block(volume.wide(descriptor, at.place));
  const perGroup = kind === "blocks" ? info.blocksPerGroup : info.inodesPerGroup;
  if (info.checksumSeed !== undefined) {
    const isLong = info.descriptorBytes >= 64;
    const mask = isLong ? 0xffffffff : 0xffff;
    const stored =
      descriptor.getUint16(at.checksum, true) +
      (isLong ? descriptor.getUint16(at.checksum + upperHalf, true) * 2 ** 16 : 0);
    if ((crc32c(info.checksumSeed, bits, 0, perGroup / 8) & mask) >>> 0 !== stored) {
      const message = `the checksum of the bitmap of ${kind} of group ${group} is wrong`;
      throw readError("EXT4_BAD_CHECKSUM", message, { group });
    }
  }
  const start = info.firstDataBlock + group * info.blocksPerGroup;
  const counted =
    kind === "blocks" ? Math.min(perGroup, info.blockCount - start) : info.inodesPerGroup;
  const free = counted - countBits(bits, counted);
  const isLong = info.descriptorBytes >= 64;
  const said =
    descriptor.getUint16(at.free, true) +
    (isLong ? descriptor.getUint16(at.free + upperHalf, true) * 2 ** 16 : 0);
  if (free !== said) {
    const message = `group ${group} counts ${said} free ${kind}, its bitmap has ${free}`;
    throw readError("EXT4_BAD_SUPERBLOCK", message, { group });
  }
  return { bits, free };
}

/** Whether a bit is set. */
export function hasBit(bits: Uint8Array, at: number): boolean {
  return (((bits[at >> 3] as number) >> (at & 7)) & 1) === 1;
}

/** Notes which blocks belong to somebody, one bit for each, in pieces that are made when they are needed. */
export class ClaimedBlocks {
  readonly #pieces: Map<number, Uint8Array> = new Map();

  /** Claims blocks; the first that was claimed before, if any. */
  claim(first: number, blocks: number): number | undefined {
    let taken: number | undefined;
    for (let block = first; block < first + blocks; block++) {
      const piece = this.#piece(Math.floor(block / pieceBlocks));
      const at = block % pieceBlocks;
      if (hasBit(piece, at)) taken ??= block;
      piece[at >> 3] = (piece[at >> 3] as number) | (1 << (at & 7));
    }
    return taken;
  }

  #piece(index: number): Uint8Array {
    let piece = this.#pieces.get(index);
    if (piece === undefined) {
      piece = new Uint8Array(pieceBlocks / 8);
      this.#pieces.set(index, piece);
    }
    return piece;
  }
}

const pieceBlocks = 32_768;

function countBits(bits: Uint8Array, length: number): number {
  let count = 0;
  for (let at = 0; at < length; at++) if (hasBit(bits, at)) count++;
  return count;
}
