const granuleBytes = 65536;

/**
 * Memory that is used again and again. Buffers made anew for each piece of data would gather by the tens of megabytes until
 * the collector comes round, and each would cost the system fresh pages.
 */
export class SpareBuffers {
  readonly #maxBytes: number;
  readonly #free: ArrayBuffer[] = [];
  #freeBytes = 0;

  /** @param maxBytes - Most that is kept while nobody uses it. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Some bytes, with anything in them. */
  take(length: number): Uint8Array<ArrayBuffer> {
    const index = this.#free.findIndex(({ byteLength }) => byteLength >= length);
    const [buffer] = index < 0 ? [] : this.#free.splice(index, 1);
    if (buffer === undefined) {
      return new Uint8Array(
        new ArrayBuffer(Math.ceil(length / granuleBytes) * granuleBytes),
        0,
        length,
      );
    }
    this.#freeBytes -= buffer.byteLength;
    return new Uint8Array(buffer, 0, length);
  }

  /** Takes back what {@link take} gave and nobody uses any more. */
  give({ buffer }: Uint8Array): void {
    if (!(buffer instanceof ArrayBuffer) || buffer.detached) return;
    if (this.#freeBytes + buffer.byteLength > this.#maxBytes) return;
    this.#freeBytes += buffer.byteLength;
    this.#free.push(buffer);
  }
}
