import { TarError } from "../errors.ts";
import { blockBytes, type Field, fields } from "../header/layout.ts";
import { parseNumber } from "../header/number.ts";
import { parseDecimal } from "../pax/pax-number.ts";

/** Offset and length pairs of a sparse file's data, in the order in which the archive holds them. */
export type SparseRanges = readonly number[];

const rangeBytes = 24;

/**
 * Reads the ranges of an old GNU sparse header, or of one of the blocks that continue it.
 *
 * @returns Whether another such block follows.
 */
export function parseOldRanges(
  block: Uint8Array,
  kind: "header" | "continuation",
  ranges: number[],
  offset: number,
): boolean {
  const [start, length] = kind === "header" ? fields.sparseRanges : fields.moreSparseRanges;
  const [flag] = kind === "header" ? fields.sparseContinues : fields.moreSparseContinues;
  for (let at = start; at + rangeBytes <= start + length; at += rangeBytes) {
    if (block[at] === 0) break;
    const offsetField: Field = [at, 12];
    const lengthField: Field = [at + 12, 12];
    ranges.push(parseNumber(block, offsetField, offset), parseNumber(block, lengthField, offset));
  }
  return block[flag] !== 0 && block[flag] !== 0x30;
}

/** Reads `GNU.sparse.map` of format 0.1: decimal numbers with commas between them. */
export function parseCommaRanges(
  value: Uint8Array,
  maxRanges: number,
  offset: number,
): SparseRanges {
  const ranges: number[] = [];
  for (let at = 0; at < value.byteLength; ) {
    const comma = value.indexOf(0x2c, at);
    const end = comma < 0 ? value.byteLength : comma;
    ranges.push(parseDecimal(value.subarray(at, end), offset));
    checkRangeCount(ranges.length / 2, maxRanges, offset);
    at = end + 1;
  }
  if (ranges.length % 2 !== 0) throw badSparse("has an offset without a length", offset);
  return ranges;
}

/** Throws when a map has more ranges than allowed. */
export function checkRangeCount(count: number, maxRanges: number, offset: number): void {
  if (count <= maxRanges) return;
  throw new TarError("TAR_OVER_LIMIT", `a sparse file has more than ${maxRanges} ranges`, offset);
}

/** Reads the map of format 1.0, which stands before the data: lines of decimal numbers in whole blocks. */
export class SparseMapReader {
  readonly #numbers: number[] = [];
  readonly #maxRanges: number;
  #digits = "";

  constructor(maxRanges: number) {
    this.#maxRanges = maxRanges;
  }

  /** The ranges, once {@link push} has said that they are all there. */
  get ranges(): SparseRanges {
    return this.#numbers.slice(1);
  }

  /** Takes the next block; true when the map ends in it. */
  push(block: Uint8Array, offset: number): boolean {
    for (let i = 0; i < blockBytes; i++) {
      const byte = block[i] as number;
      if (byte !== 0x0a) {
        if (this.#digits.length > 20) throw badSparse("has a line that is no number", offset);
        this.#digits += String.fromCharCode(byte);
        continue;
      }
      if (!/^\d+$/.test(this.#digits)) throw badSparse("has a line that is no number", offset);
      this.#numbers.push(parseDecimal(Uint8Array.from(this.#digits, charCode), offset));
      this.#digits = "";
      const count = this.#numbers[0] as number;
      checkRangeCount(count, this.#maxRanges, offset);
      if (this.#numbers.length === 1 + count * 2) return true;
    }
    return false;
  }
}

/**
 * Checks a map: ranges in order, apart, inside the file, and together as long as the data in the archive.
 *
 * @throws {@link TarError} `TAR_BAD_SPARSE`.
 */
export function validateRanges(
  ranges: SparseRanges,
  realSize: number,
  storedBytes: number,
  offset: number,
): void {
  let end = 0;
  let total = 0;
  for (let i = 0; i < ranges.length; i += 2) {
    const start = ranges[i] as number;
    const length = ranges[i + 1] as number;
    if (start < end || length < 0 || start + length > realSize) {
      throw badSparse("has ranges that overlap or leave the file", offset);
    }
    end = start + length;
    total += length;
  }
  if (total !== storedBytes) {
    throw badSparse(`has ${total} bytes in its ranges and ${storedBytes} in the archive`, offset);
  }
}

function charCode(character: string): number {
  return character.charCodeAt(0);
}

/** A map that breaks a rule. */
export function badSparse(what: string, offset: number): TarError {
  return new TarError("TAR_BAD_SPARSE", `the map of a sparse file ${what}`, offset);
}
