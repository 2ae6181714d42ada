/** Bytes that arrive in parts. Room grows with what has arrived, never with what was announced. */
export class GatheredBytes {
  #bytes: Uint8Array = new Uint8Array(0);
  #length = 0;

  /** Keeps a copy of a part. */
  add(part: Uint8Array): void {
    const length = this.#length + part.byteLength;
    if (length > this.#bytes.byteLength) {
      const larger = new Uint8Array(Math.max(length, this.#bytes.byteLength * 2, 1024));
      larger.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = larger;
    }
    this.#bytes.set(part, this.#length);
    this.#length = length;
  }

  /** Everything so far and the last part, in one piece: the part itself when it is all. Starts anew. */
  finish(last: Uint8Array): Uint8Array {
    if (this.#length === 0) return last;
    this.add(last);
    const whole = this.#bytes.subarray(0, this.#length);
    this.#bytes = new Uint8Array(0);
    this.#length = 0;
    return whole;
  }
}
