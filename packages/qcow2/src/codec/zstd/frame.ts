import { badStream, type DecompressOptions, requireWhole } from "../codec.ts";
import { type LiteralCode, readLiterals } from "./literals.ts";
import { readSequences, type SequenceTables } from "./sequences.ts";

const maxBlockBytes = 131072;

/** Largest window that is accepted: the 8 MiB that RFC 8878 recommends, ample for clusters of 2 MiB. */
const maxWindowBytes = 8 * 2 ** 20;

/**
 * Decompresses one or several zstd frames into one cluster. Bytes behind the frame that fills it are ignored.
 *
 * @throws {@link Qcow2Error} `QCOW2_COMPRESSED_DATA_INVALID`.
 * @see RFC 8878
 */
export function decompressZstd(input: Uint8Array, options: DecompressOptions): Uint8Array {
  const output = new Uint8Array(options.outputBytes);
  let length = 0;
  let at = 0;
  while (length < output.byteLength && at < input.byteLength) {
    const frame = readFrameHeader(input.subarray(at));
    at += frame.headerBytes;
    if (frame.isSkippable) continue;
    const decoder = new FrameDecoder(output, length);
    at = decoder.run(input, at);
    length = decoder.length;
    if (frame.hasChecksum) at += 4;
  }
  return requireWhole(output.subarray(0, length), options.outputBytes);
}

/** Where the frames that fill a cluster end; for decoders that refuse anything behind them. */
export function zstdFrameEnd(input: Uint8Array): number {
  const frame = readFrameHeader(input);
  let at = frame.headerBytes;
  for (let isLast = frame.isSkippable; !isLast; ) {
    const block = readBlockHeader(input, at);
    at += 3 + block.storedBytes;
    isLast = block.isLast;
  }
  return at + (frame.hasChecksum ? 4 : 0);
}

interface FrameHeader {
  readonly headerBytes: number;
  readonly hasChecksum: boolean;
  readonly isSkippable: boolean;
}

function readFrameHeader(bytes: Uint8Array): FrameHeader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.byteLength < 8) throw badStream("a frame is cut");
  const magic = view.getUint32(0, true);
  if (magic >>> 4 === 0x0184d2a5) {
    return { headerBytes: 8 + view.getUint32(4, true), hasChecksum: false, isSkippable: true };
  }
  if (magic !== 0xfd2fb528) throw badStream("it is not a zstd frame");
  const descriptor = view.getUint8(4);
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const sizeFlag = descriptor >> 6;
  const sizeBytes = sizeFlag === 0 ? (isSingleSegment ? 1 : 0) : 2 ** sizeFlag;
  if ((descriptor & 3) !== 0) throw badStream("it needs a dictionary");
  if ((descriptor & 8) !== 0) throw badStream("a reserved bit is set");
  if (!isSingleSegment) {
    const window = view.getUint8(5);
    const base = 2 ** (10 + (window >> 3));
    if (base + (base / 8) * (window & 7) > maxWindowBytes)
      throw badStream("its window is too large");
  }
  return {
    headerBytes: 5 + (isSingleSegment ? 0 : 1) + sizeBytes,
    hasChecksum: (descriptor & 4) !== 0,
    isSkippable: false,
  };
}

interface BlockHeader {
  readonly isLast: boolean;
  readonly type: number;
  readonly lengthBytes: number;
  readonly storedBytes: number;
}

function readBlockHeader(input: Uint8Array, at: number): BlockHeader {
  if (at + 3 > input.byteLength) throw badStream("a frame is cut");
  const head =
    (input[at] as number) | ((input[at + 1] as number) << 8) | ((input[at + 2] as number) << 16);
  const type = (head >> 1) & 3;
  const lengthBytes = head >> 3;
  const storedBytes = type === 1 ? 1 : lengthBytes;
  if (type === 3 || lengthBytes > maxBlockBytes) throw badStream("a block has a wrong header");
  if (at + 3 + storedBytes > input.byteLength) throw badStream("a block is cut");
  return { isLast: (head & 1) === 1, type, lengthBytes, storedBytes };
}

class FrameDecoder {
  length: number;
  readonly #output: Uint8Array;
  readonly #start: number;
  readonly #recent: [number, number, number] = [1, 4, 8];
  readonly #tables: SequenceTables = {};
  #code: LiteralCode | undefined;

  constructor(output: Uint8Array, start: number) {
    this.#output = output;
    this.#start = start;
    this.length = start;
  }

  /** Decodes all blocks of the frame and returns where they end. */
  run(input: Uint8Array, from: number): number {
    let at = from;
    for (let isLast = false; !isLast; ) {
      const block = readBlockHeader(input, at);
      const bytes = input.subarray(at + 3, at + 3 + block.storedBytes);
      if (block.type === 0) this.#append(bytes);
      else if (block.type === 1) this.#repeat(bytes[0] as number, block.lengthBytes);
      else this.#decode(bytes);
      at += 3 + block.storedBytes;
      isLast = block.isLast;
    }
    return at;
  }

  #decode(block: Uint8Array): void {
    const literals = readLiterals(block, this.#code);
    this.#code = literals.code;
    let taken = 0;
    readSequences(
      block.subarray(literals.usedBytes),
      this.#tables,
      (literalLength, offsetValue, matchLength) => {
        const end = taken + literalLength;
        if (end > literals.bytes.byteLength) throw badStream("a sequence takes too many literals");
        this.#append(literals.bytes.subarray(taken, end));
        taken = end;
        this.#copy(this.#offset(offsetValue, literalLength), matchLength);
      },
    );
    this.#append(literals.bytes.subarray(taken));
  }

  /** @see RFC 8878, section 3.1.1.5 "Repeat Offsets" */
  #offset(value: number, literalLength: number): number {
    const recent = this.#recent;
    const [first, second, third] = recent;
    if (value > 3) {
      this.#recent.splice(0, 3, value - 3, first, second);
      return value - 3;
    }
    const which = literalLength === 0 ? value : value - 1;
    if (which === 0) return first;
    const offset = which === 1 ? second : which === 2 ? third : first - 1;
    if (which === 1) recent.splice(0, 2, offset, first);
    else recent.splice(0, 3, offset, first, second);
    return offset;
  }

  #append(bytes: Uint8Array): void {
    this.#requireRoom(bytes.byteLength);
    this.#output.set(bytes, this.length);
    this.length += bytes.byteLength;
  }

  #repeat(byte: number, count: number): void {
    this.#requireRoom(count);
    this.#output.fill(byte, this.length, this.length + count);
    this.length += count;
  }

  #copy(offset: number, length: number): void {
    this.#requireRoom(length);
    if (offset < 1 || offset > this.length - this.#start) {
      throw badStream("a match reaches before the start");
    }
    const output = this.#output;
    let from = this.length - offset;
    const end = this.length + length;
    for (let to = this.length; to < end; to++) output[to] = output[from++] as number;
    this.length = end;
  }

  #requireRoom(count: number): void {
    if (this.length + count > this.#output.byteLength) {
      throw badStream("it holds more than one cluster");
    }
  }
}
