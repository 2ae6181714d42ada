import { ImageError } from "../errors.ts";

/** A piece of a zstd stream. */
export type ZstdPiece =
  | { readonly type: "data"; readonly bytes: Uint8Array }
  /** The frame whose data came before is complete. */
  | { readonly type: "frame-end" };

const frameMagic = 0xfd2fb528;
const skippableMagic = 0x184d2a50;

type Phase = "magic" | "skippable-size" | "header" | "block-header" | "checksum" | "padding";

/**
 * Finds the frames of a zstd stream (RFC 8878, section 3.1), because Node's decoder stops silently after the first one
 * and some versions take a cut frame for a whole one. Skippable frames are left out, zeros after the last frame too.
 *
 * | size | name | meaning |
 * | ---: | --- | --- |
 * | 4 | magic | fd2fb528 for a frame, 184d2a5x for a skippable one, followed by its size |
 * | 1 | descriptor | bits 7-6 content size, 5 single segment, 2 checksum, 1-0 dictionary |
 * | 0-13 | header | window, dictionary, content size |
 * | 3 | block header | bit 0 last, 2-1 type, 23-3 size; then the block, which is one byte for type 1 |
 * | 0-4 | checksum | when the descriptor says so |
 */
export class ZstdFrames {
  #phase: Phase = "magic";
  /** Header bytes that have been seen, and how many are needed to go on. */
  readonly #scratch: Uint8Array = new Uint8Array(4);
  #have = 0;
  #need = 4;
  /** Bytes to pass over before the next header, of a block or of a skippable frame. */
  #left = 0;
  #hasChecksum = false;
  #isLastBlock = false;
  #isInFrame = false;

  /** Splits a chunk. What it yields are views of the chunk, and at times a copy of four earlier bytes. */
  *push(chunk: Uint8Array): Generator<ZstdPiece, void, undefined> {
    let at = 0;
    let from = 0;
    for (;;) {
      const passed = Math.min(this.#left, chunk.byteLength - at);
      at += passed;
      this.#left -= passed;
      if (this.#left > 0) break;
      if (this.#isInFrame && this.#isFrameOver()) {
        yield { type: "data", bytes: chunk.subarray(from, at) };
        yield { type: "frame-end" };
        this.#isInFrame = false;
        this.#expect("magic", 4);
      }
      if (this.#phase === "padding") {
        if (chunk.subarray(at).some((byte) => byte !== 0))
          throw corrupt("garbage follows its zeros");
        return;
      }
      const taken = this.#collect(chunk.subarray(at));
      at += taken;
      if (this.#have < this.#need) break;
      const wasInFrame = this.#isInFrame;
      const header = this.#scratch.slice(0, this.#have);
      this.#advance(header);
      if (this.#isInFrame && !wasInFrame) {
        from = at - taken;
        if (taken < header.byteLength) {
          yield { type: "data", bytes: header.subarray(0, header.byteLength - taken) };
        }
      }
    }
    if (this.#isInFrame && from < at) yield { type: "data", bytes: chunk.subarray(from, at) };
  }

  /** Fails unless the stream ended at the end of a frame. */
  finish(): void {
    const isZeros = this.#scratch.subarray(0, this.#have).every((byte) => byte === 0);
    const isBetween = this.#phase === "magic" && this.#left === 0 && isZeros;
    if (!isBetween && this.#phase !== "padding") throw corrupt("it ends in the middle of a frame");
  }

  #collect(bytes: Uint8Array): number {
    const taken = Math.min(this.#need - this.#have, bytes.byteLength);
    this.#scratch.set(bytes.subarray(0, taken), this.#have);
    this.#have += taken;
    return taken;
  }

  #expect(phase: Phase, need: number): void {
    this.#phase = phase;
    this.#need = need;
    this.#have = 0;
  }

  /** After the last block, and its checksum if there is one. */
  #isFrameOver(): boolean {
    if (!this.#isLastBlock) return false;
    if (!this.#hasChecksum) return true;
    this.#hasChecksum = false;
    this.#left = 4;
    this.#expect("checksum", 0);
    return false;
  }

  /** Judges a complete header. */
  #advance(header: Uint8Array): void {
    switch (this.#phase) {
      case "magic":
        this.#readMagic(littleEndian(header));
        return;
      case "skippable-size":
        this.#left = littleEndian(header);
        this.#expect("magic", 4);
        return;
      case "header":
        this.#readDescriptor(header[0] ?? 0);
        return;
      case "block-header":
        this.#readBlockHeader(littleEndian(header));
        return;
      default:
        return;
    }
  }

  #readMagic(magic: number): void {
    if (magic === frameMagic) {
      this.#isInFrame = true;
      this.#isLastBlock = false;
      this.#expect("header", 1);
    } else if ((magic & 0xfffffff0) >>> 0 === skippableMagic) this.#expect("skippable-size", 4);
    else if (magic === 0) this.#expect("padding", 0);
    else throw corrupt("what follows a frame is no frame");
  }

  #readDescriptor(descriptor: number): void {
    const isSingleSegment = (descriptor & 0x20) !== 0;
    const contentSizeFlag = descriptor >> 6;
    const contentSizeBytes = contentSizeFlag === 0 ? Number(isSingleSegment) : 2 ** contentSizeFlag;
    const dictionaryBytes = [0, 1, 2, 4][descriptor & 3] ?? 0;
    this.#hasChecksum = (descriptor & 4) !== 0;
    this.#left = (isSingleSegment ? 0 : 1) + dictionaryBytes + contentSizeBytes;
    this.#expect("block-header", 3);
  }

  #readBlockHeader(header: number): void {
    const type = (header >> 1) & 3;
    if (type === 3) throw corrupt("it has a block of the reserved type");
    this.#isLastBlock = (header & 1) !== 0;
    this.#left = type === 1 ? 1 : header >> 3;
    this.#expect("block-header", 3);
  }
}

function littleEndian(bytes: Uint8Array): number {
  return bytes.reduce((value, byte, index) => value + byte * 2 ** (8 * index), 0);
}

function corrupt(why: string): ImageError {
  return new ImageError({
    code: "OCI_LAYER_CORRUPT",
    message: `cannot decompress the layer's zstd stream: ${why}`,
  });
}
