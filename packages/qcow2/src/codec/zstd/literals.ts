import { badStream, byteAt } from "../codec.ts";
import { BackwardBits } from "./backward-bits.ts";
import { nextState, readFseTable } from "./fse.ts";

/** A Huffman code of zstd: indexed by the next `maxBits` bits; entries are `symbol << 4 | length`. */
export interface LiteralCode {
  /** Entries. */
  readonly table: Uint16Array;
  /** Length of the longest code. */
  readonly maxBits: number;
}

/** The literals of a block. */
export interface Literals {
  /** The literals' bytes. */
  readonly bytes: Uint8Array;
  /** Bytes of the section in the block. */
  readonly usedBytes: number;
  /** The code that the next block may use again. */
  readonly code: LiteralCode | undefined;
}

const maxLiteralBytes = 131072;

/**
 * Reads the literals section of a block.
 *
 * @see RFC 8878, section 3.1.1.3.1
 */
export function readLiterals(block: Uint8Array, previous: LiteralCode | undefined): Literals {
  const first = byteAt(block, 0);
  const type = first & 3;
  const format = (first >> 2) & 3;
  if (type < 2) return readPlainLiterals(block, type, format, previous);
  const headerBytes = format < 2 ? 3 : format + 2;
  const sizeBits = format < 2 ? 10 : format === 2 ? 14 : 18;
  if (block.byteLength < headerBytes) throw badStream("the literals are cut");
  let header = 0;
  for (let index = headerBytes - 1; index >= 0; index--)
    header = header * 256 + (block[index] as number);
  const sizeMask = 2 ** sizeBits;
  const length = Math.floor(header / 16) % sizeMask;
  const packed = Math.floor(header / 16 / sizeMask) % sizeMask;
  const usedBytes = headerBytes + packed;
  if (usedBytes > block.byteLength || length > maxLiteralBytes) {
    throw badStream("the literals are longer than their block");
  }
  let streams = block.subarray(headerBytes, usedBytes);
  let code = previous;
  if (type === 2) {
    const tree = readLiteralCode(streams);
    code = tree.code;
    streams = streams.subarray(tree.usedBytes);
  }
  if (code === undefined) throw badStream("a block uses a code that was never given");
  const bytes = new Uint8Array(length);
  if (format === 0) decodeStream(streams, code, bytes);
  else decodeFourStreams(streams, code, bytes);
  return { bytes, usedBytes, code };
}

function readPlainLiterals(
  block: Uint8Array,
  type: number,
  format: number,
  code: LiteralCode | undefined,
): Literals {
  const first = byteAt(block, 0);
  const [headerBytes, length] =
    (format & 1) === 0
      ? [1, first >> 3]
      : format === 1
        ? [2, (first >> 4) | (byteAt(block, 1) << 4)]
        : [3, (first >> 4) | (byteAt(block, 1) << 4) | (byteAt(block, 2) << 12)];
  const usedBytes = headerBytes + (type === 0 ? length : 1);
  if (usedBytes > block.byteLength || length > maxLiteralBytes) {
    throw badStream("the literals are longer than their block");
  }
  const bytes =
    type === 0
      ? block.subarray(headerBytes, usedBytes)
      : new Uint8Array(length).fill(block[headerBytes] as number);
  return { bytes, usedBytes, code };
}

function decodeFourStreams(streams: Uint8Array, code: LiteralCode, into: Uint8Array): void {
  const jump = (index: number): number =>
    byteAt(streams, index * 2) | (byteAt(streams, index * 2 + 1) << 8);
  const part = (into.byteLength + 3) >> 2;
  let at = 6;
  for (let index = 0; index < 4; index++) {
    const end = index === 3 ? streams.byteLength : at + jump(index);
    if (end > streams.byteLength || end < at) throw badStream("a literal stream is cut");
    const to = index === 3 ? into.byteLength : Math.min(part * (index + 1), into.byteLength);
    decodeStream(streams.subarray(at, end), code, into.subarray(Math.min(part * index, to), to));
    at = end;
  }
}

function decodeStream(stream: Uint8Array, { table, maxBits }: LiteralCode, into: Uint8Array): void {
  const bits = new BackwardBits(stream);
  for (let index = 0; index < into.byteLength; index++) {
    const entry = table[bits.peek(maxBits)] as number;
    bits.left -= entry & 15;
    into[index] = entry >> 4;
  }
  if (bits.left !== 0) throw badStream("a literal stream does not end with its last symbol");
}

function readLiteralCode(bytes: Uint8Array): { code: LiteralCode; usedBytes: number } {
  const head = byteAt(bytes, 0);
  if (head >= 128) {
    const count = head - 127;
    const usedBytes = 1 + ((count + 1) >> 1);
    if (usedBytes > bytes.byteLength) throw badStream("a code description is cut");
    const weights = Array.from({ length: count }, (_, index) => {
      const pair = bytes[1 + (index >> 1)] as number;
      return index % 2 === 0 ? pair >> 4 : pair & 15;
    });
    return { code: buildLiteralCode(weights), usedBytes };
  }
  if (1 + head > bytes.byteLength) throw badStream("a code description is cut");
  const weights = readPackedWeights(bytes.subarray(1, 1 + head));
  return { code: buildLiteralCode(weights), usedBytes: 1 + head };
}

/** Two states take turns until the stream is read up. */
function readPackedWeights(bytes: Uint8Array): number[] {
  const { table, usedBytes } = readFseTable(bytes, 6, 255);
  const bits = new BackwardBits(bytes.subarray(usedBytes));
  let state = bits.read(table.accuracyLog);
  let other = bits.read(table.accuracyLog);
  const weights: number[] = [];
  for (;;) {
    weights.push(table.symbols[state] as number);
    if (weights.length > 254) throw badStream("a code has too many symbols");
    const next = nextState(table, state, bits);
    state = other;
    other = next;
    if (bits.left < 0) {
      weights.push(table.symbols[state] as number);
      return weights;
    }
  }
}

/** The last symbol's weight is what completes the sum to a power of two. */
function buildLiteralCode(weights: readonly number[]): LiteralCode {
  const sum = weights.reduce((total, weight) => total + (weight > 0 ? 2 ** (weight - 1) : 0), 0);
  const maxBits = 32 - Math.clz32(sum);
  const rest = 2 ** maxBits - sum;
  if (sum === 0 || maxBits > 11 || (rest & (rest - 1)) !== 0) {
    throw badStream("a code description is wrong");
  }
  const all = [...weights, 32 - Math.clz32(rest)];
  const table = new Uint16Array(2 ** maxBits);
  let at = 0;
  for (let weight = 1; weight <= maxBits; weight++) {
    for (const [symbol, other] of all.entries()) {
      if (other !== weight) continue;
      const span = 2 ** (weight - 1);
      table.fill((symbol << 4) | (maxBits + 1 - weight), at, at + span);
      at += span;
    }
  }
  return { table, maxBits };
}
