import type { OpenFile } from "@box/io";

/** Each write of its own costs as much time as to copy 200 KiB. */
const blockBytes = 512 * 1024;
/** What has arrived is written after so long without more: whoever goes on with it later has it all. */
const idleMs = 100;

/** Options of {@link BlockWriter}. */
export interface BlockWriterOptions {
  /** Where the first byte goes, in bytes. */
  readonly offset: number;
  /** Told about bytes in their order, before they are written. */
  readonly onBytes: (bytes: Uint8Array) => void;
}

/**
 * Writes a stream to a file in large blocks, one after the other, while the next block fills. Bytes are copied: chunks are
 * their owner's again at once.
 */
export class BlockWriter {
  readonly #file: OpenFile;
  readonly #onBytes: BlockWriterOptions["onBytes"];
  #offset: number;
  #block: Uint8Array | undefined;
  #spare: Uint8Array | undefined;
  /** Bytes of the block that are there, and that are written or on their way. */
  #filled = 0;
  #written = 0;
  /** All writes so far; fails when one of them has. */
  #writing: Promise<void> = Promise.resolve();
  /** The writes that still read the spare block. */
  #spareIsFree: Promise<void> = this.#writing;
  #timer: NodeJS.Timeout | undefined;

  constructor(file: OpenFile, { offset, onBytes }: BlockWriterOptions) {
    this.#file = file;
    this.#offset = offset;
    this.#onBytes = onBytes;
  }

  /** Takes bytes; waits when both blocks are full. Fails when an earlier write has. */
  async add(chunk: Uint8Array): Promise<void> {
    for (let at = 0; at < chunk.byteLength; ) {
      if (this.#filled === blockBytes) await this.#turn();
      this.#block ??= new Uint8Array(blockBytes);
      const part = chunk.subarray(at, at + blockBytes - this.#filled);
      this.#block.set(part, this.#filled);
      this.#filled += part.byteLength;
      at += part.byteLength;
    }
    if (this.#timer === undefined) this.#timer = setTimeout(() => this.#write(), idleMs).unref();
    else this.#timer.refresh();
  }

  /** Writes what is left and waits until all of it is written. Nothing may be added any more. */
  async finish(): Promise<void> {
    clearTimeout(this.#timer);
    this.#write();
    await this.#writing;
  }

  async #turn(): Promise<void> {
    this.#write();
    await this.#spareIsFree;
    [this.#block, this.#spare] = [this.#spare, this.#block];
    this.#spareIsFree = this.#writing;
    this.#filled = 0;
    this.#written = 0;
  }

  #write(): void {
    const bytes = this.#block?.subarray(this.#written, this.#filled);
    if (bytes === undefined || bytes.byteLength === 0) return;
    this.#onBytes(bytes);
    this.#written = this.#filled;
    this.#writing = this.#writeAfter(this.#writing, this.#offset, bytes);
    this.#offset += bytes.byteLength;
    // Told to whoever waits for it.
    this.#writing.catch(() => {});
  }

  async #writeAfter(earlier: Promise<void>, offset: number, bytes: Uint8Array): Promise<void> {
    await earlier;
    await this.#file.write?.(offset, bytes);
  }
}
