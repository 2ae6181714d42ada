import { hasBit } from "./block-usage.ts";

/** A range of blocks: the first one, and the one after the last. */
export type BlockRange = readonly [first: number, end: number];

/** What is claimed of a piece: ranges as pairs, in rising order and apart, or one bit for each block. */
type Piece = number[] | Uint8Array;

const pieceBlocks = 32_768;
/** From so many ranges on, bits take less room. */
const maxRanges = 256;

/**
 * Remembers which blocks belong to somebody. Room and time grow with the extents that claim, not with the blocks: an image
 * of a few kilobytes can have files of terabytes.
 */
export class ClaimedBlocks {
  readonly #pieces: Map<number, Piece> = new Map();

  /** Claims blocks; the first that was claimed before, if any. */
  claim(first: number, blocks: number): number | undefined {
    let taken: number | undefined;
    for (let at = first; at < first + blocks; ) {
      const index = Math.floor(at / pieceBlocks);
      const start = index * pieceBlocks;
      const end = Math.min(first + blocks, start + pieceBlocks);
      const found = this.#claimIn(index, at - start, end - start);
      if (found !== undefined) taken ??= start + found;
      at = end;
    }
    return taken;
  }

  /** What is claimed from `first` on, before `end`, in rising order. */
  *within(first: number, end: number): Generator<BlockRange> {
    for (let index = Math.floor(first / pieceBlocks); index * pieceBlocks < end; index++) {
      const start = index * pieceBlocks;
      for (const [from, to] of rangesOf(this.#pieces.get(index))) {
        const range: BlockRange = [Math.max(first, start + from), Math.min(end, start + to)];
        if (range[0] < range[1]) yield range;
      }
    }
  }

  #claimIn(index: number, from: number, to: number): number | undefined {
    const piece = this.#pieces.get(index) ?? [];
    if (piece instanceof Uint8Array) return claimBits(piece, from, to);
    const taken = insertRange(piece, from, to);
    if (taken !== undefined || piece.length > maxRanges * 2) {
      const bits = new Uint8Array(pieceBlocks / 8);
      for (const [start, end] of rangesOf(piece)) claimBits(bits, start, end);
      claimBits(bits, from, to);
      this.#pieces.set(index, bits);
    } else {
      this.#pieces.set(index, piece);
    }
    return taken;
  }
}

/** Adds a range to pairs, joined with those that it touches. Changes nothing when it overlaps: the first block of that. */
function insertRange(pairs: number[], from: number, to: number): number | undefined {
  let low = 0;
  let high = pairs.length / 2;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((pairs[middle * 2 + 1] as number) > from) high = middle;
    else low = middle + 1;
  }
  const next = pairs[low * 2] ?? Number.POSITIVE_INFINITY;
  if (next < to) return Math.max(next, from);
  const joinsBefore = low > 0 && pairs[low * 2 - 1] === from;
  const joinsNext = next === to;
  if (joinsBefore && joinsNext) pairs.splice(low * 2 - 1, 2);
  else if (joinsBefore) pairs[low * 2 - 1] = to;
  else if (joinsNext) pairs[low * 2] = from;
  else pairs.splice(low * 2, 0, from, to);
  return undefined;
}

/** Sets bits; the first that was set before, if any. */
function claimBits(bits: Uint8Array, from: number, to: number): number | undefined {
  let taken: number | undefined;
  for (let at = from; at < to; at++) {
    if (hasBit(bits, at)) taken ??= at;
    bits[at >> 3] = (bits[at >> 3] as number) | (1 << (at & 7));
  }
  return taken;
}

function* rangesOf(piece: Piece | undefined): Generator<BlockRange> {
  if (piece instanceof Uint8Array) {
    for (let at = 0; at < pieceBlocks; at++) {
      if (!hasBit(piece, at)) continue;
      const first = at;
      while (at < pieceBlocks && hasBit(piece, at)) at++;
      yield [first, at];
    }
  } else {
    for (let i = 0; i < (piece?.length ?? 0); i += 2) {
      yield [piece?.[i] as number, piece?.[i + 1] as number];
    }
  }
}
