/** Sets the bits from `first` to `last`; bit 0 is the lowest bit of the first byte. */
export function setBits(bytes: Uint8Array, first: number, last: number): void {
  for (let bit = first; bit <= last; ) {
    if (bit % 8 === 0 && last - bit >= 7) {
      const whole = Math.floor((last - bit + 1) / 8);
      bytes.fill(0xff, bit / 8, bit / 8 + whole);
      bit += whole * 8;
    } else {
      bytes[bit >> 3] = (bytes[bit >> 3] as number) | (1 << (bit & 7));
      bit++;
    }
  }
}

/** Sets every bit that is set in `other`. */
export function orBits(bytes: Uint8Array, other: Uint8Array): void {
  for (let index = 0; index < bytes.byteLength; index++) {
    bytes[index] = (bytes[index] as number) | (other[index] ?? 0);
  }
}

/** Clears every bit from `first` on, and says whether one was set. */
export function clearBitsFrom(bytes: Uint8Array, first: number): boolean {
  const at = first >> 3;
  const partial = bytes[at] ?? 0;
  const kept = partial & ((1 << (first & 7)) - 1);
  const wasSet = partial !== kept || bytes.subarray(at + 1).some((byte) => byte !== 0);
  if (at < bytes.byteLength) bytes[at] = kept;
  bytes.fill(0, at + 1);
  return wasSet;
}

/** The runs of bits that are set, as first bit and number of bits. */
export function* setRuns(bytes: Uint8Array): Generator<{ first: number; count: number }> {
  const bits = bytes.byteLength * 8;
  for (let at = 0; at < bits; ) {
    const first = findBit(bytes, at, 1);
    if (first >= bits) return;
    const end = findBit(bytes, first, 0);
    yield { first, count: end - first };
    at = end;
  }
}

/** The first bit from `from` on with this value; the number of bits when there is none. */
function findBit(bytes: Uint8Array, from: number, value: 0 | 1): number {
  const skipped = value === 1 ? 0 : 0xff;
  const bits = bytes.byteLength * 8;
  let at = from;
  while (at < bits) {
    const byte = bytes[at >> 3] as number;
    if (at % 8 === 0 && byte === skipped) at += 8;
    else if (((byte >> (at & 7)) & 1) === value) return at;
    else at++;
  }
  return bits;
}
