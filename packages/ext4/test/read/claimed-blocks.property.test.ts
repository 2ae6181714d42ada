import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ClaimedBlocks } from "../../src/read/claimed-blocks.ts";

const piece = 32_768;

/** Ranges around the borders of pieces and far from them, of one block or very many. */
const range = fc.tuple(
  fc.oneof(fc.nat(40), fc.integer({ min: piece - 20, max: piece + 20 }), fc.nat(3 * piece)),
  fc.oneof(fc.integer({ min: 1, max: 30 }), fc.constantFrom(piece, piece - 1, piece * 2 + 1)),
);

describe("ClaimedBlocks", () => {
  test("knows what was claimed, and the first block that is claimed twice", () => {
    fc.assert(
      fc.property(fc.array(range, { maxLength: 40 }), range, (ranges, [from, length]) => {
        const claimed = new ClaimedBlocks();
        const model = new Set<number>();
        for (const [first, blocks] of ranges) {
          let taken: number | undefined;
          for (let block = first; block < first + blocks; block++) {
            if (model.has(block)) taken ??= block;
            model.add(block);
          }
          expect(claimed.claim(first, blocks)).toBe(taken);
        }
        const end = from + length;
        expect(listed(claimed, from, end)).toEqual(
          [...model].filter((block) => block >= from && block < end).sort((a, b) => a - b),
        );
      }),
      { numRuns: 60 },
    );
  });

  test("joins ranges that touch, and none that overlap", () => {
    const claimed = new ClaimedBlocks();
    for (const block of [1, 5, 3, 4, 2]) expect(claimed.claim(block, 1)).toBeUndefined();
    expect([...claimed.within(0, piece)]).toEqual([[1, 6]]);
    expect(claimed.claim(0, 1)).toBeUndefined();
    expect(claimed.claim(6, piece - 6)).toBeUndefined();
    expect([...claimed.within(4, piece + 4)]).toEqual([[4, piece]]);
    expect(claimed.claim(piece - 1, 3)).toBe(piece - 1);
    expect([...claimed.within(piece - 1, piece + 4)]).toEqual([
      [piece - 1, piece],
      [piece, piece + 2],
    ]);
  });

  test("keeps many ranges of one piece apart, in any order, until they meet", () => {
    const claimed = new ClaimedBlocks();
    const odd = Array.from({ length: 2000 }, (_, i) => ((i * 769) % 2000) * 2 + 1);
    for (const block of odd) expect(claimed.claim(block, 1)).toBeUndefined();
    expect(listed(claimed, 0, piece)).toEqual(odd.toSorted((a, b) => a - b));
    for (const block of odd) expect(claimed.claim(block - 1, 1)).toBeUndefined();
    expect([...claimed.within(0, piece)]).toEqual([[0, 4000]]);
    expect(claimed.claim(3990, 20)).toBe(3990);
  });

  test("takes no room for each block", () => {
    const before = process.memoryUsage().arrayBuffers;
    const claimed = new ClaimedBlocks();
    for (let i = 0; i < 2 ** 13; i++) claimed.claim(i * piece * 2, piece);
    for (let i = 0; i < 2 ** 13; i++) claimed.claim(i * piece * 2 + piece, 7);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 ** 20);
    expect(claimed.claim(2 ** 14 * piece - piece, 1)).toBe(2 ** 14 * piece - piece);
  });
});

function listed(claimed: ClaimedBlocks, from: number, end: number): number[] {
  const blocks: number[] = [];
  for (const [first, last] of claimed.within(from, end)) {
    for (let block = first; block < last; block++) blocks.push(block);
  }
  return blocks;
}
