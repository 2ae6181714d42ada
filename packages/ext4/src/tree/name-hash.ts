/** A key of `hashName`: two 32-bit words. */
export interface HashKey {
  /** First word. */
  readonly k0: number;
  /** Second word. */
  readonly k1: number;
}

/**
 * HalfSipHash-1-3 of a parent's number and a name.
 *
 * A keyed hash, so that nobody who makes an image can choose names that all fall into one bucket.
 * It never shows in any output.
 */
export function hashName(key: HashKey, parent: number, name: Uint8Array): number {
  let v0 = key.k0;
  let v1 = key.k1;
  let v2 = 0x6c796765 ^ key.k0;
  let v3 = 0x74656462 ^ key.k1;
  const words = name.byteLength >>> 2;
  // Word -1 is the parent, then the name's whole words, its rest with the length, and three final rounds.
  for (let i = -1; i <= words + 3; i++) {
    const word =
      i < 0 ? parent : i < words ? wordAt(name, i * 4) : i === words ? lastWord(name) : 0;
    if (i === words + 1) v2 ^= 0xff;
    v3 ^= word;
    v0 = (v0 + v1) | 0;
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
    v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0;
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
    v2 = (v2 << 16) | (v2 >>> 16);
    v0 ^= word;
  }
  return (v1 ^ v3) >>> 0;
}

function wordAt(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at] as number) |
    ((bytes[at + 1] as number) << 8) |
    ((bytes[at + 2] as number) << 16) |
    ((bytes[at + 3] as number) << 24)
  );
}

function lastWord(bytes: Uint8Array): number {
  let word = bytes.byteLength << 24;
  const whole = bytes.byteLength & ~3;
  for (let i = whole; i < bytes.byteLength; i++) word |= (bytes[i] as number) << ((i - whole) * 8);
  return word;
}
