import { type CompareBytes, nativeCompare } from "../bytes/native-compare.ts";

/** Bytes of the blocks in which zeros are looked for. */
export const zeroBlockBytes = 4096;

/** Whether a range of bytes, whose start and end lie on multiples of 4 in memory where they can, is all zeros. */
export function isAllZeros(
  bytes: Uint8Array,
  compare: CompareBytes | null = nativeCompare,
): boolean {
  const { byteLength } = bytes;
  if (byteLength === 0 || bytes[0] !== 0 || bytes[byteLength - 1] !== 0) return byteLength === 0;
  // The first byte is zero, and every other one is like the one before it.
  if (compare) return compare(bytes.subarray(1), bytes.subarray(0, -1)) === 0;
  const isAligned = bytes.byteOffset % 4 === 0;
  const words = isAligned
    ? new Int32Array(bytes.buffer, bytes.byteOffset, byteLength >> 2)
    : new Int32Array(new Uint8Array(bytes.subarray(0, byteLength & ~3)).buffer);
  if (!areZeroWords(words)) return false;
  for (let at = byteLength & ~3; at < byteLength; at++) if (bytes[at] !== 0) return false;
  return true;
}

function areZeroWords(words: Int32Array): boolean {
  const whole = words.length & ~15;
  for (let at = 0; at < whole; at += 16) {
    let any = 0;
    for (let index = at; index < at + 16; index += 4) {
      any |=
        (words[index] as number) |
        (words[index + 1] as number) |
        (words[index + 2] as number) |
        (words[index + 3] as number);
    }
    if (any !== 0) return false;
  }
  for (let at = whole; at < words.length; at++) if (words[at] !== 0) return false;
  return true;
}

/** A range of bytes in a chunk. */
export interface ByteRange {
  /** First byte. */
  readonly from: number;
  /** End. */
  readonly to: number;
}

/** The ranges of blocks that are not all zeros, neighbours joined. */
export function dataRanges(bytes: Uint8Array, blockBytes: number): ByteRange[] {
  const ranges: ByteRange[] = [];
  let from = -1;
  for (let at = 0; at < bytes.byteLength; at += blockBytes) {
    const isZero = bytes[at] === 0 && isAllZeros(bytes.subarray(at, at + blockBytes));
    if (isZero && from >= 0) {
      ranges.push({ from, to: at });
      from = -1;
    }
    if (!isZero && from < 0) from = at;
  }
  if (from >= 0) ranges.push({ from, to: bytes.byteLength });
  return ranges;
}
