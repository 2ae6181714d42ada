import { badStream, byteAt } from "../codec.ts";

/**
 * Reads bits from the end of a byte range to its start, as zstd's entropy streams are read.
 *
 * @see RFC 8878, section 4.1
 */
export class BackwardBits {
  /** Bits that are left; negative once more were read than there are, which read as zeros. */
  left: number;
  readonly #bytes: Uint8Array;

  /** @param bytes - The stream; the highest set bit of its last byte marks its end. */
  constructor(bytes: Uint8Array) {
    const last = byteAt(bytes, bytes.byteLength - 1);
    if (last === 0) throw badStream("a bit stream has no end mark");
    this.#bytes = bytes;
    this.left = bytes.byteLength * 8 - Math.clz32(last) + 23;
  }

  /** Reads up to 31 bits. */
  read(count: number): number {
    if (count > 24) {
      const high = this.read(count - 16);
      return high * 65536 + this.read(16);
    }
    this.left -= count;
    return this.#bitsAt(this.left, count);
  }

  /** The next bits, without taking them. */
  peek(count: number): number {
    return this.#bitsAt(this.left - count, count);
  }

  #bitsAt(position: number, count: number): number {
    if (position < 0) {
      const missing = -position;
      return missing >= count ? 0 : this.#bitsAt(0, count - missing) << missing;
    }
    const at = position >> 3;
    const bytes = this.#bytes;
    const word =
      (bytes[at] as number) |
      ((bytes[at + 1] ?? 0) << 8) |
      ((bytes[at + 2] ?? 0) << 16) |
      ((bytes[at + 3] ?? 0) << 24);
    return (word >>> (position & 7)) & ((1 << count) - 1);
  }
}
