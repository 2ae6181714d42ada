import { TarError } from "../errors.ts";
import { blockBytes, fields } from "../header/layout.ts";
import { parseNumber } from "../header/number.ts";
import { parseDecimal } from "../pax/pax-number.ts";
import type { PaxRecords } from "../pax/pax-records.ts";
import {
  badSparse,
  checkRangeCount,
  parseCommaRanges,
  parseOldRanges,
  SparseMapReader,
  type SparseRanges,
  validateRanges,
} from "./sparse-map.ts";

/** A sparse file whose map is known: what is data and how large the file is. */
export interface SparseFile {
  /** The ranges of data. */
  readonly ranges: SparseRanges;
  /** The file's size, holes included. */
  readonly realSizeBytes: number;
  /** Bytes of data in the archive. */
  readonly storedBytes: number;
}

/** A sparse file's map that goes on in the blocks that follow; each call takes one and ends with the file. */
export interface SparseContinuation {
  /** Takes the next block; gives the file once the map is complete. */
  push(block: Uint8Array, offset: number): SparseFile | undefined;
}

/** A map that is complete, or the way to the rest of it. */
export type SparseStart = SparseFile | SparseContinuation;

/** Reads the map of an old GNU sparse header (type `S`). */
export function startOldSparse(
  header: Uint8Array,
  storedBytes: number,
  maxRanges: number,
  offset: number,
): SparseStart {
  const ranges: number[] = [];
  const realSizeBytes = parseNumber(header, fields.sparseRealSize, offset);
  const finish = (): SparseFile => sparseFile(ranges, realSizeBytes, storedBytes, offset);
  if (!parseOldRanges(header, "header", ranges, offset)) return finish();
  return {
    push: (block, at) => {
      const continues = parseOldRanges(block, "continuation", ranges, at);
      checkRangeCount(ranges.length / 2, maxRanges, at);
      return continues ? undefined : finish();
    },
  };
}

/**
 * Reads the map of a sparse file that PAX records describe (formats 0.0, 0.1 and 1.0).
 *
 * @returns Nothing when they describe none.
 * @throws {@link TarError} `TAR_BAD_SPARSE`, `TAR_OVER_LIMIT`, `TAR_BAD_PAX`.
 */
export function startPaxSparse(
  pax: PaxRecords,
  storedBytes: number,
  maxRanges: number,
  offset: number,
): SparseStart | undefined {
  if (pax.get("GNU.sparse.major") !== undefined) {
    return startVersion1(pax, storedBytes, maxRanges, offset);
  }
  const map = pax.get("GNU.sparse.map");
  if (map === undefined && pax.sparseNumbers.length === 0) return undefined;
  const realSizeBytes = sizeRecord(pax, "GNU.sparse.size", offset);
  if (map !== undefined) {
    const ranges = parseCommaRanges(map, maxRanges, offset);
    return sparseFile(ranges, realSizeBytes, storedBytes, offset);
  }
  checkRangeCount(pax.sparseNumbers.length / 2, maxRanges, offset);
  const ranges = pax.sparseNumbers.map((value) => parseDecimal(value, offset));
  if (ranges.length % 2 !== 0) throw badSparse("has an offset without a length", offset);
  return sparseFile(ranges, realSizeBytes, storedBytes, offset);
}

function startVersion1(
  pax: PaxRecords,
  storedBytes: number,
  maxRanges: number,
  offset: number,
): SparseContinuation {
  const major = sizeRecord(pax, "GNU.sparse.major", offset);
  const minor = sizeRecord(pax, "GNU.sparse.minor", offset);
  if (major !== 1 || minor !== 0) {
    const message = `a sparse file has a map of the unknown version ${major}.${minor}`;
    throw new TarError("TAR_UNSUPPORTED_TYPE", message, offset);
  }
  const realSizeBytes = sizeRecord(pax, "GNU.sparse.realsize", offset);
  const reader = new SparseMapReader(maxRanges);
  let left = storedBytes;
  const push = (block: Uint8Array, at: number): SparseFile | undefined => {
    left -= blockBytes;
    if (left < 0) throw badSparse("is longer than the entry", at);
    const isComplete = reader.push(block, at);
    return isComplete ? sparseFile(reader.ranges, realSizeBytes, left, offset) : undefined;
  };
  return { push };
}

function sizeRecord(pax: PaxRecords, key: string, offset: number): number {
  const value = pax.get(key);
  if (value === undefined) throw badSparse(`comes without ${key}`, offset);
  return parseDecimal(value, offset);
}

function sparseFile(
  ranges: SparseRanges,
  realSizeBytes: number,
  storedBytes: number,
  offset: number,
): SparseFile {
  validateRanges(ranges, realSizeBytes, storedBytes, offset);
  return { ranges, realSizeBytes, storedBytes };
}
