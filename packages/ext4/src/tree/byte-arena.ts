import { Ext4Error } from "../errors.ts";

const chunkBits = 20;
const chunkBytes = 1 << chunkBits;
const maxChunks = 2 ** (32 - chunkBits);

/**
 * Short byte strings, one after the other, in chunks that are never moved.
 *
 * A string is known by its address, a 32-bit number, and its length. Strings are never freed.
 */
export class ByteArena {
  readonly #chunks: Uint8Array[] = [];
  readonly #maxBytes: number;
  #used: number = chunkBytes;
  #charged = 0;

  /** @param maxBytes - How much it holds at most; never more than 4 GiB. */
  constructor(maxBytes: number = Number.POSITIVE_INFINITY) {
    this.#maxBytes = Math.min(maxBytes, maxChunks * chunkBytes);
  }

  /** Copies `bytes`, at most 1 MiB, and returns its address. */
  store(bytes: Uint8Array): number {
    // An empty string has an address inside a chunk as well.
    if (this.#used + Math.max(1, bytes.byteLength) > chunkBytes) this.#addChunk();
    const chunk = this.#chunks.length - 1;
    const address = chunk * chunkBytes + this.#used;
    (this.#chunks[chunk] as Uint8Array).set(bytes, this.#used);
    this.#used += bytes.byteLength;
    return address;
  }

  /** Takes room away for what is kept elsewhere with the strings. */
  charge(bytes: number): void {
    this.#charged += bytes;
    this.#checkRoom(this.#chunks.length);
  }

  /** A view of a stored string. */
  view(address: number, length: number): Uint8Array {
    const start = address & (chunkBytes - 1);
    return this.chunkOf(address).subarray(start, start + length);
  }

  /** The chunk that holds an address, for callers that must not make a view per string. */
  chunkOf(address: number): Uint8Array {
    return this.#chunks[address >>> chunkBits] as Uint8Array;
  }

  /** Whether a stored string equals `bytes`. */
  equals(address: number, length: number, bytes: Uint8Array): boolean {
    if (length !== bytes.byteLength) return false;
    const chunk = this.chunkOf(address);
    const start = address & (chunkBytes - 1);
    for (let i = 0; i < length; i++) if (chunk[start + i] !== bytes[i]) return false;
    return true;
  }

  /** Compares two stored strings byte by byte, a prefix first. */
  compare(a: number, aLength: number, b: number, bLength: number): number {
    const aChunk = this.chunkOf(a);
    const bChunk = this.chunkOf(b);
    const aStart = a & (chunkBytes - 1);
    const bStart = b & (chunkBytes - 1);
    const shared = Math.min(aLength, bLength);
    for (let i = 0; i < shared; i++) {
      const difference = (aChunk[aStart + i] as number) - (bChunk[bStart + i] as number);
      if (difference !== 0) return difference;
    }
    return aLength - bLength;
  }

  #addChunk(): void {
    this.#checkRoom(this.#chunks.length + 1);
    this.#chunks.push(new Uint8Array(chunkBytes));
    this.#used = 0;
  }

  #checkRoom(chunks: number): void {
    if (chunks * chunkBytes + this.#charged <= this.#maxBytes) return;
    throw new Ext4Error({
      code: "EXT4_TOO_MANY_NODES",
      message: `cannot add to the file tree: its names, targets and attributes take more than ${this.#maxBytes} bytes`,
      details: { maxBytes: this.#maxBytes },
    });
  }
}
