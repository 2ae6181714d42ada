import { badStream } from "./codec.ts";

/**
 * A canonical Huffman code of deflate, as a lookup table: the low bits of the input index it, an entry is
 * `symbol << 4 | length`; 0 marks a code that does not exist.
 */
export interface HuffmanTable {
  /** Entries. */
  readonly table: Uint16Array;
  /** Bits that index it. */
  readonly bits: number;
}

/**
 * Builds the table from code lengths.
 *
 * @param allowsOneCode - Whether a code of no or one symbol, which is incomplete, is accepted.
 * @see RFC 1951, section 3.2.2
 */
export function buildHuffmanTable(lengths: Uint8Array, allowsOneCode = true): HuffmanTable {
  const counts = new Uint16Array(16);
  for (const length of lengths) counts[length] = (counts[length] as number) + 1;
  counts[0] = 0;
  let bits = 15;
  while (bits > 1 && counts[bits] === 0) bits--;
  const next = firstCodes(counts, allowsOneCode && bits === 1);
  const table = new Uint16Array(1 << bits);
  for (let symbol = 0; symbol < lengths.length; symbol++) {
    const length = lengths[symbol] as number;
    if (length === 0) continue;
    const code = next[length] as number;
    next[length] = code + 1;
    const step = 1 << length;
    for (let at = reverse(code, length); at < table.length; at += step) {
      table[at] = (symbol << 4) | length;
    }
  }
  return { table, bits };
}

function firstCodes(counts: Uint16Array, mayBeIncomplete: boolean): Uint16Array {
  const next = new Uint16Array(16);
  let code = 0;
  let left = 1;
  for (let length = 1; length <= 15; length++) {
    code = (code + (counts[length - 1] as number)) << 1;
    next[length] = code;
    left = left * 2 - (counts[length] as number);
    if (left < 0) throw badStream("a Huffman code has too many symbols");
  }
  if (left > 0 && !mayBeIncomplete) throw badStream("a Huffman code has too few symbols");
  return next;
}

function reverse(code: number, length: number): number {
  let reversed = 0;
  for (let bit = 0; bit < length; bit++) reversed |= ((code >> bit) & 1) << (length - 1 - bit);
  return reversed;
}
