import type { RandomAccess } from "@box/io";
import { isZero } from "../merge/data-runs.ts";

const blockBytes = 4096;
/** Whole 1 MiB at a time, Linux takes pieces of memory as large, which can cost several times as much. */
const bufferBytes = 1024 * 1024 - blockBytes;

/** How content is written. */
export interface WriteContentsOptions {
  /** Stops between two chunks. */
  readonly signal?: AbortSignal;
  /** Told how many bytes of content have been written. */
  readonly onProgress?: (writtenBytes: number) => void;
}

/** Bytes for one place in the image. */
interface Segment {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

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
  readonly #segments: Segment[] = [];
  #writtenBytes = 0;

  constructor(sink: RandomAccess) {
    this.#sink = sink;
  }

  /** Bytes written so far. */
  get writtenBytes(): number {
    return this.#writtenBytes;
  }

  /** Whether a buffer is full: {@link flush} would write it. */
  get isFull(): boolean {
    return this.#buffers.length > 1;
  }

  /** Takes content for a place in the image. Nothing is written before {@link flush}. */
  add(imageOffset: number, bytes: Uint8Array): void {
    for (let at = 0; at < bytes.byteLength; ) {
      const room = this.room(imageOffset + at, bytes.byteLength - at);
      room.set(bytes.subarray(at, at + room.byteLength));
      at += room.byteLength;
    }
  }

  /**
   * Room for content at a place in the image, which is written with {@link flush}.
   *
   * @param bytes - How many are wanted.
   * @returns At most as many, at least one; all of them are to be filled before the next call of anything here.
   */
  room(imageOffset: number, bytes: number): Uint8Array {
    const end = this.#imageOffset + this.#segmentEnd - this.#segmentStart;
    const gap = imageOffset - end;
    const isNeighbour = gap === 0 || (gap > 0 && gap < blockBytes && end % blockBytes !== 0);
    const isEmpty = this.#segmentEnd === this.#segmentStart;
    if (isEmpty || !isNeighbour || this.#segmentEnd + gap >= bufferBytes) {
      this.#closeSegment();
      this.#startSegment(imageOffset);
    } else {
      this.#buffer.fill(0, this.#segmentEnd, this.#segmentEnd + gap);
      this.#segmentEnd += gap;
    }
    const start = this.#segmentEnd;
    this.#segmentEnd = Math.min(bufferBytes, start + bytes);
    return this.#buffer.subarray(start, this.#segmentEnd);
  }

  /** Writes what is complete; the last segment may still grow. */
  async flush(): Promise<void> {
    for (const segment of this.#segments.splice(0)) {
      for (const { offset, bytes } of withoutZeros(segment)) {
        await this.#sink.write?.(offset, bytes);
        this.#writtenBytes += bytes.byteLength;
      }
    }
    this.#spare.push(...this.#buffers.splice(0, this.#buffers.length - 1));
  }

  /** Writes everything. */
  async finish(): Promise<void> {
    this.#closeSegment();
    await this.flush();
  }

  get #buffer(): Uint8Array {
    return this.#buffers.at(-1) as Uint8Array;
  }

  #closeSegment(): void {
    const bytes = this.#buffer.subarray(this.#segmentStart, this.#segmentEnd);
    if (bytes.byteLength > 0) this.#segments.push({ offset: this.#imageOffset, bytes });
    this.#segmentStart = this.#segmentEnd;
  }

  /** The segment's bytes lie in the buffer as in their block, so that what does not fit is whole blocks. */
  #startSegment(imageOffset: number): void {
    const inBlock = imageOffset % blockBytes;
    const start = Math.ceil(this.#segmentEnd / blockBytes) * blockBytes + inBlock;
    const fits = start < bufferBytes;
    if (!fits) this.#buffers.push(this.#spare.pop() ?? new Uint8Array(bufferBytes));
    this.#segmentStart = fits ? start : inBlock;
    this.#segmentEnd = this.#segmentStart;
    this.#imageOffset = imageOffset;
  }
}

/** The parts of a segment between the blocks of it that are zeros. */
function* withoutZeros({ offset, bytes }: Segment): Generator<Segment> {
  let start = 0;
  for (let at = 0; at < bytes.byteLength; ) {
    const end = Math.min(bytes.byteLength, at + blockBytes - ((offset + at) % blockBytes));
    if (isZero(bytes, at, end)) {
      if (start < at) yield { offset: offset + start, bytes: bytes.subarray(start, at) };
      start = end;
    }
    at = end;
  }
  if (start < bytes.byteLength) yield { offset: offset + start, bytes: bytes.subarray(start) };
}
