import { badStream, type DecompressOptions, requireWhole } from "./codec.ts";
import { buildHuffmanTable, type HuffmanTable } from "./huffman.ts";

const lengthBase = new Uint16Array([
  3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131,
  163, 195, 227, 258,
]);
const lengthExtra = new Uint8Array([
  0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0,
]);
const distanceBase = new Uint16Array([
  1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049,
  3073, 4097, 6145, 8193, 12289, 16385, 24577,
]);
const distanceExtra = new Uint8Array([
  0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13,
]);
const codeLengthOrder = new Uint8Array([
  16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15,
]);

let fixed: { literals: HuffmanTable; distances: HuffmanTable } | undefined;

/**
 * Inflates a raw deflate stream into one cluster. Bytes behind the stream are ignored; a stream that is cut after the
 * whole cluster came out is accepted, as QEMU 7.2 does.
 *
 * @throws {@link Qcow2Error} `QCOW2_COMPRESSED_DATA_INVALID`.
 * @see RFC 1951
 */
export function inflate(input: Uint8Array, options: DecompressOptions): Uint8Array {
  const state = new Inflater(input, options);
  state.run();
  return requireWhole(state.output.subarray(0, state.length), options.outputBytes);
}

/** Thrown inside to end at once; never leaves this file. */
const enough: unique symbol = Symbol("enough");

class Inflater {
  readonly output: Uint8Array;
  length = 0;
  readonly #input: Uint8Array;
  readonly #allowsLonger: boolean;
  #at = 0;
  #bits = 0;
  #bitCount = 0;

  constructor(input: Uint8Array, options: DecompressOptions) {
    this.#input = input;
    this.output = new Uint8Array(options.outputBytes);
    this.#allowsLonger = options.allowsLonger;
  }

  run(): void {
    try {
      for (let isLast = 0; isLast === 0; ) {
        isLast = this.#take(1);
        const type = this.#take(2);
        if (type === 0) this.#stored();
        else if (type === 1) this.#compressed(fixedTables());
        else if (type === 2) this.#compressed(this.#dynamicTables());
        else throw badStream("a block has the reserved type");
      }
    } catch (error) {
      if (error !== enough) throw error;
    }
  }

  #stored(): void {
    this.#at -= this.#bitCount >> 3;
    this.#bits = 0;
    this.#bitCount = 0;
    const input = this.#input;
    if (this.#at + 4 > input.byteLength) throw enough;
    const length = (input[this.#at] as number) | ((input[this.#at + 1] as number) << 8);
    const check = (input[this.#at + 2] as number) | ((input[this.#at + 3] as number) << 8);
    if (length !== (~check & 0xffff)) throw badStream("a stored block has a wrong length");
    this.#at += 4;
    const chunk = input.subarray(this.#at, this.#at + length);
    const room = this.output.byteLength - this.length;
    if (chunk.byteLength > room) this.#overflow();
    this.output.set(chunk.subarray(0, room), this.length);
    this.length += Math.min(chunk.byteLength, room);
    this.#at += length;
    if (chunk.byteLength < length || chunk.byteLength > room) throw enough;
  }

  #compressed(tables: { literals: HuffmanTable; distances: HuffmanTable }): void {
    const { output } = this;
    for (;;) {
      const symbol = this.#symbol(tables.literals);
      if (symbol < 256) {
        if (this.length === output.byteLength) this.#overflow();
        output[this.length++] = symbol;
      } else if (symbol === 256) {
        return;
      } else {
        this.#copy(symbol - 257, tables.distances);
      }
    }
  }

  #copy(lengthSymbol: number, distances: HuffmanTable): void {
    const base = lengthBase[lengthSymbol];
    if (base === undefined) throw badStream("a length symbol is reserved");
    let length = base + this.#take(lengthExtra[lengthSymbol] as number);
    const distanceSymbol = this.#symbol(distances);
    const distanceStart = distanceBase[distanceSymbol];
    if (distanceStart === undefined) throw badStream("a distance symbol is reserved");
    const distance = distanceStart + this.#take(distanceExtra[distanceSymbol] as number);
    if (distance > this.length) throw badStream("a distance reaches before the start");
    const { output } = this;
    const room = output.byteLength - this.length;
    const isTooLong = length > room;
    if (isTooLong) {
      if (!this.#allowsLonger) this.#overflow();
      length = room;
    }
    let to = this.length;
    for (let from = to - distance; length > 0; length--) output[to++] = output[from++] as number;
    this.length = to;
    if (isTooLong) throw enough;
  }

  #dynamicTables(): { literals: HuffmanTable; distances: HuffmanTable } {
    const literalCount = this.#take(5) + 257;
    const distanceCount = this.#take(5) + 1;
    const lengthCount = this.#take(4) + 4;
    if (literalCount > 286 || distanceCount > 30) throw badStream("a block has too many codes");
    const codeLengths = new Uint8Array(19);
    for (let index = 0; index < lengthCount; index++) {
      codeLengths[codeLengthOrder[index] as number] = this.#take(3);
    }
    const codes = buildHuffmanTable(codeLengths, false);
    const lengths = new Uint8Array(literalCount + distanceCount);
    for (let index = 0; index < lengths.length; ) {
      const symbol = this.#symbol(codes);
      if (symbol < 16) {
        lengths[index++] = symbol;
        continue;
      }
      if (symbol === 16 && index === 0) throw badStream("a code length repeats nothing");
      const value = symbol === 16 ? (lengths[index - 1] as number) : 0;
      const repeat =
        symbol === 16 ? 3 + this.#take(2) : symbol === 17 ? 3 + this.#take(3) : 11 + this.#take(7);
      if (index + repeat > lengths.length) throw badStream("code lengths run over");
      lengths.fill(value, index, index + repeat);
      index += repeat;
    }
    if (lengths[256] === 0) throw badStream("a block has no end");
    return {
      literals: buildHuffmanTable(lengths.subarray(0, literalCount)),
      distances: buildHuffmanTable(lengths.subarray(literalCount)),
    };
  }

  #symbol({ table, bits }: HuffmanTable): number {
    while (this.#bitCount < bits && this.#at < this.#input.byteLength) this.#refill();
    const entry = table[this.#bits & ((1 << bits) - 1)] as number;
    const length = entry & 15;
    if (length > this.#bitCount) throw enough;
    if (length === 0) {
      if (this.#bitCount < bits) throw enough;
      throw badStream("a code does not exist");
    }
    this.#bits >>>= length;
    this.#bitCount -= length;
    return entry >> 4;
  }

  #take(count: number): number {
    while (this.#bitCount < count) {
      if (this.#at >= this.#input.byteLength) throw enough;
      this.#refill();
    }
    const value = this.#bits & ((1 << count) - 1);
    this.#bits >>>= count;
    this.#bitCount -= count;
    return value;
  }

  #refill(): void {
    this.#bits |= (this.#input[this.#at++] as number) << this.#bitCount;
    this.#bitCount += 8;
  }

  /** More comes out than a cluster holds: an error, or the end when the caller cuts it off. */
  #overflow(): void {
    if (this.#allowsLonger && this.length === this.output.byteLength) throw enough;
    if (!this.#allowsLonger) throw badStream("it holds more than one cluster");
  }
}

function fixedTables(): { literals: HuffmanTable; distances: HuffmanTable } {
  if (fixed === undefined) {
    const lengths = new Uint8Array(288).fill(8, 0, 144).fill(9, 144, 256);
    lengths.fill(7, 256, 280).fill(8, 280);
    fixed = {
      literals: buildHuffmanTable(lengths),
      distances: buildHuffmanTable(new Uint8Array(32).fill(5)),
    };
  }
  return fixed;
}
