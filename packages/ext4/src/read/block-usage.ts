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

/** The first bit from `start` on, before `end`, that is clear. */
export function firstClear(bits: Uint8Array, start: number, end: number): number | undefined {
  for (let at = start; at < end; ) {
    if ((at & 7) === 0 && at + 8 <= end && bits[at >> 3] === 0xff) at += 8;
    else if (hasBit(bits, at)) at++;
    else return at;
  }
  return undefined;
}

function countBits(bits: Uint8Array, length: number): number {
  let count = 0;
  for (let at = 0; at < length; ) {
    if ((at & 7) === 0 && at + 8 <= length) {
      count += bitsOfByte[bits[at >> 3] as number] as number;
      at += 8;
    } else if (hasBit(bits, at++)) count++;
  }
  return count;
}

const bitsOfByte: Uint8Array = Uint8Array.from({ length: 256 }, (_, byte) => {
  let count = 0;
  for (let rest = byte; rest > 0; rest >>= 1) count += rest & 1;
  return count;
});
