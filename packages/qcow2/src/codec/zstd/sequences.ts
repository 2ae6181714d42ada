import { badStream, byteAt } from "../codec.ts";
import { BackwardBits } from "./backward-bits.ts";
import { buildFseTable, type FseTable, nextState, readFseTable, singleSymbolTable } from "./fse.ts";

/** The three codes of a block's sequences, which the next block may use again. */
export interface SequenceTables {
  /** Literal lengths. */
  literalLengths?: FseTable;
  /** Offsets. */
  offsets?: FseTable;
  /** Match lengths. */
  matchLengths?: FseTable;
}

/** Takes one sequence: so many literals, then a match. */
export type SequenceHandler = (
  literalLength: number,
  offsetValue: number,
  matchLength: number,
) => void;

const literalLengthBase: readonly number[] = [
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 18, 20, 22, 24, 28, 32, 40, 48, 64, 128,
  256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536,
];
const literalLengthExtra: readonly number[] = [
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 3, 3, 4, 6, 7, 8, 9, 10, 11, 12,
  13, 14, 15, 16,
];
const matchLengthBase: readonly number[] = [
  3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28,
  29, 30, 31, 32, 33, 34, 35, 37, 39, 41, 43, 47, 51, 59, 67, 83, 99, 131, 259, 515, 1027, 2051,
  4099, 8195, 16387, 32771, 65539,
];
const matchLengthExtra: readonly number[] = [
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
  1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16,
];

/** Limits and predefined probabilities of the three codes, RFC 8878 sections 3.1.1.3.2.1 and 3.1.1.3.2.2. */
const codes = {
  literalLengths: {
    maxLog: 9,
    maxSymbol: 35,
    log: 6,
    counts: [
      4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 2, 1, 1, 1, 1,
      1, -1, -1, -1, -1,
    ],
  },
  offsets: {
    maxLog: 8,
    maxSymbol: 31,
    log: 5,
    counts: [
      1, 1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1,
    ],
  },
  matchLengths: {
    maxLog: 9,
    maxSymbol: 52,
    log: 6,
    counts: [
      1, 4, 3, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
      1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1,
    ],
  },
} as const;

/**
 * Reads the sequences section of a block.
 *
 * @param tables - The codes of the block before; replaced by those of this block.
 * @see RFC 8878, section 3.1.1.3.2
 */
export function readSequences(
  section: Uint8Array,
  tables: SequenceTables,
  handle: SequenceHandler,
): void {
  const { count, headerBytes } = readCount(section);
  if (headerBytes > section.byteLength) throw badStream("the sequences are cut");
  if (count === 0) return;
  let at = headerBytes + 1;
  const modes = byteAt(section, headerBytes);
  const read = (name: keyof typeof codes, mode: number): FseTable => {
    const { table, usedBytes } = readTable(section.subarray(at), name, mode, tables[name]);
    at += usedBytes;
    tables[name] = table;
    return table;
  };
  const literalLengths = read("literalLengths", modes >> 6);
  const offsets = read("offsets", (modes >> 4) & 3);
  const matchLengths = read("matchLengths", (modes >> 2) & 3);
  if (at >= section.byteLength) throw badStream("the sequences are cut");
  const bits = new BackwardBits(section.subarray(at));
  let literalState = bits.read(literalLengths.accuracyLog);
  let offsetState = bits.read(offsets.accuracyLog);
  let matchState = bits.read(matchLengths.accuracyLog);
  for (let index = 0; index < count; index++) {
    const literalCode = literalLengths.symbols[literalState] as number;
    const offsetCode = offsets.symbols[offsetState] as number;
    const matchCode = matchLengths.symbols[matchState] as number;
    if (literalCode > 35 || offsetCode > 31 || matchCode > 52)
      throw badStream("a code is reserved");
    const offsetValue = 2 ** offsetCode + bits.read(offsetCode);
    const matchLength =
      (matchLengthBase[matchCode] as number) + bits.read(matchLengthExtra[matchCode] as number);
    const literalLength =
      (literalLengthBase[literalCode] as number) +
      bits.read(literalLengthExtra[literalCode] as number);
    if (bits.left < 0) throw badStream("the sequences are cut");
    handle(literalLength, offsetValue, matchLength);
    if (index === count - 1) break;
    literalState = nextState(literalLengths, literalState, bits);
    matchState = nextState(matchLengths, matchState, bits);
    offsetState = nextState(offsets, offsetState, bits);
  }
  if (bits.left !== 0) throw badStream("the sequences do not end with their last bit");
}

function readCount(section: Uint8Array): { count: number; headerBytes: number } {
  const first = byteAt(section, 0);
  const second = byteAt(section, 1);
  if (first < 128) return { count: first, headerBytes: 1 };
  if (first < 255) return { count: ((first - 128) << 8) + second, headerBytes: 2 };
  return { count: second + (byteAt(section, 2) << 8) + 0x7f00, headerBytes: 3 };
}

function readTable(
  bytes: Uint8Array,
  name: keyof typeof codes,
  mode: number,
  previous: FseTable | undefined,
): { table: FseTable; usedBytes: number } {
  const code = codes[name];
  if (mode === 0) return { table: buildFseTable(code.counts, code.log), usedBytes: 0 };
  if (mode === 1) return { table: singleSymbolTable(byteAt(bytes, 0)), usedBytes: 1 };
  if (mode === 2) return readFseTable(bytes, code.maxLog, code.maxSymbol);
  if (previous === undefined) throw badStream("a block uses a code that was never given");
  return { table: previous, usedBytes: 0 };
}
