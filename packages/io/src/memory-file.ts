import type { RandomAccess } from "./random-access.ts";

/** A growable file in memory, for tests, browsers and small images. */
export class MemoryFile implements RandomAccess {
  #bytes: Uint8Array;
  #size: number;
  readonly #identity: string;

  /** @param content - Copied; the file starts empty without it. */
  constructor(content: Uint8Array = new Uint8Array(0)) {
    // Not content.slice(): a Node Buffer would share its memory.
    this.#bytes = new Uint8Array(content);
    this.#size = content.byteLength;
    this.#identity = `memory:${++MemoryFile.#count}`;
  }

  static #count = 0;

  /** A copy of the whole content. */
  toBytes(): Uint8Array {
    return this.#bytes.slice(0, this.#size);
  }

  /** {@inheritDoc RandomAccess.size} */
  async size(): Promise<number> {
    return this.#size;
  }

  /** {@inheritDoc RandomAccess.read} */
  async read(offset: number, length: number, into?: Uint8Array): Promise<Uint8Array> {
    const end = Math.max(offset, Math.min(offset + length, this.#size));
    const found = this.#bytes.subarray(offset, end);
    if (into === undefined) return found.slice();
    into.set(found);
    return into.subarray(0, found.byteLength);
  }

  /** {@inheritDoc RandomAccess.write} */
  async write(offset: number, bytes: Uint8Array): Promise<void> {
    const end = offset + bytes.byteLength;
    this.#reserve(end);
    this.#bytes.set(bytes, offset);
    this.#size = Math.max(this.#size, end);
  }

  /** {@inheritDoc RandomAccess.flush} */
  async flush(): Promise<void> {}

  /** {@inheritDoc RandomAccess.truncate} */
  async truncate(size: number): Promise<void> {
    this.#reserve(size);
    this.#bytes.fill(0, Math.min(size, this.#size), this.#size);
    this.#size = size;
  }

  /** {@inheritDoc RandomAccess.punchHole} */
  async punchHole(offset: number, length: number): Promise<void> {
    this.#bytes.fill(0, offset, Math.min(offset + length, this.#size));
  }

  /** {@inheritDoc RandomAccess.identity} */
  identity(): string {
    return this.#identity;
  }

  #reserve(size: number): void {
    if (size <= this.#bytes.byteLength) return;
    const grown = new Uint8Array(Math.max(size, this.#bytes.byteLength * 2));
    grown.set(this.#bytes.subarray(0, this.#size));
    this.#bytes = grown;
  }
}
