import type { RandomAccess } from "@box/io";
import { blockBytes } from "../format/numbers.ts";

const bufferBlocks = 256;

/** Writes blocks, joining those that follow one another and leaving out those that are zero. */
export class BlockWriter {
  readonly #write: (offset: number, bytes: Uint8Array) => Promise<void>;
  readonly #signal: AbortSignal | undefined;
  readonly #buffer: Uint8Array = new Uint8Array(bufferBlocks * blockBytes);
  #first = 0;
  #filled = 0;

  constructor(sink: RandomAccess, signal: AbortSignal | undefined) {
    if (sink.write === undefined) throw new Error("the sink of a file system must be writable");
    this.#write = sink.write.bind(sink);
    this.#signal = signal;
  }

  /** Writes a block, whose bytes are copied at once. */
  async block(block: number, bytes: Uint8Array): Promise<void> {
    if (isZero(bytes)) return;
    const continues = block === this.#first + this.#filled && this.#filled < bufferBlocks;
    if (!continues) await this.flush();
    if (this.#filled === 0) this.#first = block;
    this.#buffer.set(bytes, this.#filled * blockBytes);
    this.#filled++;
  }

  /** Writes what waits in the buffer. */
  async flush(): Promise<void> {
    this.#signal?.throwIfAborted();
    if (this.#filled === 0) return;
    const bytes = this.#buffer.subarray(0, this.#filled * blockBytes);
    this.#filled = 0;
    await this.#write(this.#first * blockBytes, bytes);
  }
}

function isZero(bytes: Uint8Array): boolean {
  if (bytes[0] !== 0) return false;
  return bytes.every((byte) => byte === 0);
}
