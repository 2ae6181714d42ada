import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { firstDifference, firstNonZero } from "../../src/compare/compare-bytes.ts";

describe("comparing bytes", () => {
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
          expect(firstDifference(a, b)).toBe(expected);
          expect(firstNonZero(b)).toBe(expected);
          a.set(b);
          expect(firstDifference(a, b)).toBe(-1);
        },
      ),
    );
  });
});
