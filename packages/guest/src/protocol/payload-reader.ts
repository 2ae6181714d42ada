import { protocolError } from "./frames.ts";

/** Reads a payload from front to back; whatever is missing or left over is a fault. */
export class PayloadReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #what: string;
  #at = 0;

  /** @param what - What the payload is, for messages. */
  constructor(bytes: Uint8Array, what: string) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#what = what;
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#take(2), true);
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  u64(): bigint {
    return this.#view.getBigUint64(this.#take(8), true);
  }

  /** A copy of the next bytes. */
  bytes(length: number): Uint8Array {
    const at = this.#take(length);
    return new Uint8Array(this.#bytes.subarray(at, at + length));
  }

  /** A view of all that is left. */
  rest(): Uint8Array {
    const { buffer, byteOffset, byteLength } = this.#bytes.subarray(this.#at);
    this.#at = this.#bytes.length;
    return new Uint8Array(buffer, byteOffset, byteLength);
  }

  /** UTF-8 up to a NUL, which is taken too. */
  text(): string {
    const end = this.#bytes.indexOf(0, this.#at);
    if (end < 0) this.fail("a string has no end");
    const text = this.#decode(this.#bytes.subarray(this.#at, end));
    this.#at = end + 1;
    return text;
  }

  texts(count: number): string[] {
    return Array.from({ length: count }, () => this.text());
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  /** Wants the payload to end here. */
  end(): void {
    if (!this.isAtEnd) {
      this.fail(`${this.#bytes.length - this.#at} bytes are left over`);
    }
  }

  fail(fault: string): never {
    throw protocolError(`${this.#what} is damaged: ${fault}`, { message: this.#what });
  }

  #take(length: number): number {
    const at = this.#at;
    if (at + length > this.#bytes.length) this.fail("it ends too early");
    this.#at = at + length;
    return at;
  }

  /** What is no UTF-8 is shown as U+FFFD: a message for people must not be lost for it. */
  #decode(bytes: Uint8Array): string {
    return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
  }
}
