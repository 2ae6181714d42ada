import { badStream, byteAt } from "../codec.ts";
import type { BackwardBits } from "./backward-bits.ts";

/** A decoding table of zstd's finite state entropy code. */
export interface FseTable {
  /** The table has 2 to this power states. */
  readonly accuracyLog: number;
  /** Symbol of each state. */
  readonly symbols: Uint8Array;
  /** Bits to read for the next state. */
  readonly bitCounts: Uint8Array;
  /** What to add to those bits. */
  readonly baselines: Uint16Array;
}

/** A table and how many bytes its description took. */
export interface ReadFseTable {
  /** The table. */
  readonly table: FseTable;
  /** Bytes of the description. */
  readonly usedBytes: number;
}

/**
 * Reads the description of a table.
 *
 * @see RFC 8878, section 4.1.1
 */
export function readFseTable(bytes: Uint8Array, maxLog: number, maxSymbol: number): ReadFseTable {
  let position = 0;
  const peek = (count: number): number => {
    const at = position >> 3;
    const word = byteAt(bytes, at) | (byteAt(bytes, at + 1) << 8) | (byteAt(bytes, at + 2) << 16);
    return (word >>> (position & 7)) & ((1 << count) - 1);
  };
  const take = (count: number): number => {
    const value = peek(count);
    position += count;
    return value;
  };
  const accuracyLog = take(4) + 5;
  if (accuracyLog > maxLog) throw badStream("an FSE table is too large");
  const counts: number[] = [];
  let remaining = (1 << accuracyLog) + 1;
  while (remaining > 1 && counts.length <= maxSymbol) {
    const width = 32 - Math.clz32(remaining);
    const threshold = (1 << width) - 1 - remaining;
    let value = peek(width - 1);
    if (value < threshold) position += width - 1;
    else {
      value = take(width);
      if (value >= 1 << (width - 1)) value -= threshold;
    }
    const probability = value - 1;
    remaining -= Math.abs(probability);
    counts.push(probability);
    if (probability !== 0) continue;
    for (let repeat = 3; repeat === 3; ) {
      repeat = take(2);
      for (let index = 0; index < repeat; index++) counts.push(0);
    }
  }
  const usedBytes = (position + 7) >> 3;
  if (remaining !== 1 || counts.length > maxSymbol + 1 || usedBytes > bytes.byteLength) {
    throw badStream("an FSE table description is wrong");
  }
  return { table: buildFseTable(counts, accuracyLog), usedBytes };
}

/**
 * Builds a table from probabilities; -1 stands for "less than one".
 *
 * @see RFC 8878, section 4.1.1, "From normalized distribution to decoding tables"
 */
export function buildFseTable(counts: readonly number[], accuracyLog: number): FseTable {
  const size = 1 << accuracyLog;
  const symbols = new Uint8Array(size);
  const next = new Uint16Array(counts.length);
  let high = size - 1;
  for (const [symbol, count] of counts.entries()) {
    next[symbol] = count === -1 ? 1 : count;
    if (count === -1) symbols[high--] = symbol;
  }
  const step = (size >> 1) + (size >> 3) + 3;
  let at = 0;
  for (const [symbol, count] of counts.entries()) {
    for (let index = 0; index < count; index++) {
      symbols[at] = symbol;
      do at = (at + step) & (size - 1);
      while (at > high);
    }
  }
  const bitCounts = new Uint8Array(size);
  const baselines = new Uint16Array(size);
  for (let state = 0; state < size; state++) {
    const symbol = symbols[state] as number;
    const value = next[symbol] as number;
    next[symbol] = value + 1;
    const bits = accuracyLog - (31 - Math.clz32(value));
    bitCounts[state] = bits;
    baselines[state] = (value << bits) - size;
  }
  return { accuracyLog, symbols, bitCounts, baselines };
}

/** The state that follows a state and the next bits. */
export function nextState(table: FseTable, state: number, bits: BackwardBits): number {
  return (table.baselines[state] as number) + bits.read(table.bitCounts[state] as number);
}

/** A table with one state that always gives the same symbol. */
export function singleSymbolTable(symbol: number): FseTable {
  return {
    accuracyLog: 0,
    symbols: Uint8Array.of(symbol),
    bitCounts: new Uint8Array(1),
    baselines: new Uint16Array(1),
  };
}
