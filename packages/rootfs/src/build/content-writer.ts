import type { RandomAccess } from "@box/io";
import { isZero } from "../merge/data-runs.ts";

const blockBytes = 4096;
const bufferBytes = 1024 * 1024;

/**
 * Writes file content into an image in few, large writes.
 *
 * Blocks of zeros are never written: the image is sparse and reads as zeros there. Neighbouring content is put together;
 * a gap inside one block is filled with zeros, since nothing else can be there.
 */
export class ContentWriter {
  readonly #sink: RandomAccess;
  /** Where the open segment belongs in the image, and where it lies in the last buffer. */
  #imageOffset = 0;
  #segmentStart = 0;
  #segmentEnd = 0;
  readonly #buffers: Uint8Array[] = [new Uint8Array(bufferBytes)];
  /** Buffers that were written and are used again. */
  readonly #spare: Uint8Array[] = [];
  readonly #segments: { readonly offset: number; readonly bytes: Uint8Array }[] = [];
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

  /** Writes what is complete; the last segment may still grow. */
  async flush(): Promise<void> {
    for (const { offset, bytes } of this.#segments.splice(0)) {
      await this.#sink.write?.(offset, bytes);
      this.#writtenBytes += bytes.byteLength;
    }
    this.#spare.push(...this.#buffers.splice(0, this.#buffers.length - 1));
  }

  /** Writes everything. */
  async finish(): Promise<void> {
    this.#closeSegment();
    await this.flush();
  }

  #addPiece(offset: number, piece: Uint8Array): void {
    const end = this.#imageOffset + this.#segmentEnd - this.#segmentStart;
    const gap = offset - end;
    const isNeighbour = gap === 0 || (gap > 0 && gap < blockBytes && end % blockBytes !== 0);
    const isEmpty = this.#segmentEnd === this.#segmentStart;
    if (isEmpty || !isNeighbour || this.#segmentEnd + gap + piece.byteLength > bufferBytes) {
      this.#closeSegment();
      if (this.#segmentEnd + piece.byteLength > bufferBytes) this.#addBuffer();
      this.#imageOffset = offset;
    } else {
      this.#buffer.fill(0, this.#segmentEnd, this.#segmentEnd + gap);
      this.#segmentEnd += gap;
    }
    this.#buffer.set(piece, this.#segmentEnd);
    this.#segmentEnd += piece.byteLength;
  }

  get #buffer(): Uint8Array {
    return this.#buffers.at(-1) as Uint8Array;
  }

  #closeSegment(): void {
    const bytes = this.#buffer.subarray(this.#segmentStart, this.#segmentEnd);
    if (bytes.byteLength > 0) this.#segments.push({ offset: this.#imageOffset, bytes });
    this.#segmentStart = this.#segmentEnd;
  }

  #addBuffer(): void {
    this.#buffers.push(this.#spare.pop() ?? new Uint8Array(bufferBytes));
    this.#segmentStart = 0;
    this.#segmentEnd = 0;
  }
}
