import type { RandomAccess } from "@box/io";
import { pageAlignedBytes } from "@box/io/node";
import { isZero } from "../merge/data-runs.ts";

const blockBytes = 4096;
const bufferBytes = 1024 * 1024;

/** Whole blocks, and their place in the image. */
interface Segment {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/**
 * Writes file content into an image in few, large writes of whole blocks, as files take them that go past the page cache.
 *
 * Blocks of zeros are never written: the image is sparse and reads as zeros there. Neighbouring content is put together;
 * what content leaves free of a block is filled with zeros, since nothing else can be there.
 */
export class ContentWriter {
  readonly #sink: RandomAccess;
  /** Where the open segment belongs in the image, and where it lies in the last buffer. */
  #imageOffset = 0;
  #segmentStart = 0;
  #segmentEnd = 0;
  readonly #buffers: Uint8Array[] = [pageAlignedBytes(bufferBytes)];
  /** Buffers that were written and are used again. */
  readonly #spare: Uint8Array[] = [];
  readonly #segments: Segment[] = [];
  #writing: Promise<void> = Promise.resolve();
  #writtenBytes = 0;

  constructor(sink: RandomAccess) {
    this.#sink = sink;
  }

  /** Bytes written so far. */
  get writtenBytes(): number {
    return this.#writtenBytes;
  }

  /** Takes content for a place in the image. Nothing is written before {@link flush}. */
  add(imageOffset: number, bytes: Uint8Array): void {
    let at = 0;
    while (at < bytes.byteLength) {
      const offset = imageOffset + at;
      const end = Math.min(bytes.byteLength, at + blockBytes - (offset % blockBytes));
      const piece = bytes.subarray(at, end);
      if (!isZero(piece)) this.#addPiece(offset, piece);
      at = end;
    }
  }

  /** Starts to write what is complete, once what was complete before is written; the last segment may still grow. */
  async flush(): Promise<void> {
    await this.#writing;
    const buffers = this.#buffers.splice(0, this.#buffers.length - 1);
    this.#writing = this.#write(this.#segments.splice(0), buffers);
    // Whoever waits for it is told.
    this.#writing.catch(() => {});
  }

  /** Writes everything. */
  async finish(): Promise<void> {
    this.#closeSegment();
    await this.flush();
    await this.#writing;
  }

  /** Waits until nothing is being written any more. */
  async settle(): Promise<void> {
    await this.#writing.catch(() => {});
  }

  /** Writes segments at the same time: small ones take less processor time than one after the other. */
  async #write(segments: readonly Segment[], buffers: readonly Uint8Array[]): Promise<void> {
    const write = async ({ offset, bytes }: Segment): Promise<void> => {
      await this.#sink.write?.(offset, bytes);
      this.#writtenBytes += bytes.byteLength;
    };
    const outcomes = await Promise.allSettled(segments.map(write));
    for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
    this.#spare.push(...buffers);
  }

  #addPiece(offset: number, piece: Uint8Array): void {
    const end = this.#imageOffset + this.#segmentEnd - this.#segmentStart;
    const gap = offset - end;
    const isNeighbour = gap === 0 || (gap > 0 && gap < blockBytes && end % blockBytes !== 0);
    const isEmpty = this.#segmentEnd === this.#segmentStart;
    if (isEmpty || !isNeighbour || this.#segmentEnd + gap + piece.byteLength > bufferBytes) {
      this.#closeSegment();
      if (this.#segmentEnd === bufferBytes) this.#addBuffer();
      this.#imageOffset = offset - (offset % blockBytes);
      this.#fill(offset % blockBytes);
    } else {
      this.#fill(gap);
    }
    this.#buffer.set(piece, this.#segmentEnd);
    this.#segmentEnd += piece.byteLength;
  }

  /** Adds zeros, in place of what the buffer held before. */
  #fill(length: number): void {
    this.#buffer.fill(0, this.#segmentEnd, this.#segmentEnd + length);
    this.#segmentEnd += length;
  }

  get #buffer(): Uint8Array {
    return this.#buffers.at(-1) as Uint8Array;
  }

  /** Segments start and end where blocks do, in the image and in memory. */
  #closeSegment(): void {
    this.#fill(-this.#segmentEnd & (blockBytes - 1));
    const bytes = this.#buffer.subarray(this.#segmentStart, this.#segmentEnd);
    if (bytes.byteLength > 0) this.#segments.push({ offset: this.#imageOffset, bytes });
    this.#segmentStart = this.#segmentEnd;
  }

  #addBuffer(): void {
    this.#buffers.push(this.#spare.pop() ?? pageAlignedBytes(bufferBytes));
    this.#segmentStart = 0;
    this.#segmentEnd = 0;
  }
}
