import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { nativeCompare } from "../../src/bytes/native-compare.ts";
import { firstDifference, firstNonZero } from "../../src/compare/compare-bytes.ts";
import { isAllZeros } from "../../src/convert/zero-blocks.ts";

const ways = [
  ["with Node's help", nativeCompare],
  ["in a loop", null],
] as const;

describe.each(ways)("comparing bytes %s", (_name, compare) => {
  it("finds the first difference and the first byte that is not zero, wherever the bytes lie in memory", () => {
    const length = fc.integer({ min: 0, max: 90 });
    fc.assert(
      fc.property(
        length,
        fc.nat(3),
        fc.nat(3),
        fc.nat(120),
        fc.nat(120),
        (bytes, skewA, skewB, at, more) => {
          const a = new Uint8Array(100).fill(0).subarray(skewA, skewA + bytes);
          const b = new Uint8Array(100).fill(0).subarray(skewB, skewB + bytes);
          for (const index of [at, more]) if (index < bytes) b[index] = 1 + (index % 9);
          const expected = Math.min(at, more) < bytes ? Math.min(at, more) : -1;
          expect(firstDifference(a, b, compare)).toBe(expected);
          expect(firstNonZero(b, compare)).toBe(expected);
          a.set(b);
          expect(firstDifference(a, b, compare)).toBe(-1);
        },
      ),
    );
  });

  it("sees one byte anywhere in many", () => {
    const zeros = new Uint8Array(5000);
    for (let at = 0; at < zeros.length; at++) {
      const bytes = zeros.slice();
      bytes[at] = 1;
      expect([isAllZeros(bytes, compare), firstNonZero(bytes, compare)]).toEqual([false, at]);
      expect(firstDifference(bytes, zeros, compare)).toBe(at);
    }
    expect([isAllZeros(zeros, compare), firstNonZero(zeros, compare)]).toEqual([true, -1]);
    const sevens = zeros.slice().fill(7);
    expect([isAllZeros(sevens, compare), firstNonZero(sevens, compare)]).toEqual([false, 0]);
  });
});

it("looks at the bytes of a Buffer only, wherever it lies in the memory that Buffers share", () => {
  const memory = Buffer.alloc(400, 1);
  const [a, b] = [memory.subarray(1, 101), memory.subarray(203, 303)];
  a.fill(0);
  b.fill(0);
  expect(firstDifference(a, b, null)).toBe(-1);
  expect(isAllZeros(a, null)).toBe(true);
  b[70] = 5;
  expect(firstDifference(a, b, null)).toBe(70);
  expect(firstNonZero(b, null)).toBe(70);
});
