import { type CompareBytes, nativeCompare } from "../bytes/native-compare.ts";
import { isAllZeros } from "../convert/zero-blocks.ts";

/** The first byte at which two arrays of one length differ; -1 when they are the same. */
export function firstDifference(
  a: Uint8Array,
  b: Uint8Array,
  compare: CompareBytes | null = nativeCompare,
): number {
  if (compare?.(a, b) === 0) return -1;
  let at = firstDifferentWord(wordsOf(a), wordsOf(b)) * 4;
  while (at < a.byteLength && a[at] === b[at]) at++;
  return at < a.byteLength ? at : -1;
}

/** The first byte that is not zero; -1 when all are. */
export function firstNonZero(
  bytes: Uint8Array,
  compare: CompareBytes | null = nativeCompare,
): number {
  return isAllZeros(bytes, compare) ? -1 : bytes.findIndex((byte) => byte !== 0);
}

/** The whole words at the start; a copy where the bytes do not lie on a word in memory. */
function wordsOf(bytes: Uint8Array): Int32Array {
  const words = bytes.byteLength >> 2;
  if (bytes.byteOffset % 4 === 0) return new Int32Array(bytes.buffer, bytes.byteOffset, words);
  return new Int32Array(new Uint8Array(bytes.subarray(0, words * 4)).buffer);
}

function firstDifferentWord(a: Int32Array, b: Int32Array): number {
  const whole = a.length & ~7;
  for (let at = 0; at < whole; at += 8) {
    let any = 0;
    for (let index = at; index < at + 8; index += 4) {
      any |=
        ((a[index] as number) ^ (b[index] as number)) |
        ((a[index + 1] as number) ^ (b[index + 1] as number)) |
        ((a[index + 2] as number) ^ (b[index + 2] as number)) |
        ((a[index + 3] as number) ^ (b[index + 3] as number));
    }
    if (any !== 0) return at;
  }
  return whole;
}
