import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DataRunFinder, isZero } from "../../src/merge/data-runs.ts";

const block = 4096;

/** A file as blocks that are zero or not, with a last block that may be short. */
const content = fc
  .tuple(
    fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 1, max: 24 })), { maxLength: 8 }),
    fc.integer({ min: 0, max: block - 1 }),
  )
  .map(([parts, tail]) => {
    const blocks = parts.flatMap(([isData, count]) => Array.from({ length: count }, () => isData));
    const bytes = Buffer.alloc(blocks.length * block + tail);
    for (const [index, isData] of blocks.entries())
      if (isData) bytes[index * block + (index % block)] = 1;
    return bytes;
  });

function find(bytes: Uint8Array, cuts: readonly number[]) {
  const finder = new DataRunFinder(bytes.byteLength);
  let at = 0;
  for (const cut of [...cuts].sort((a, b) => a - b).filter((each) => each < bytes.byteLength)) {
    finder.add(at, bytes.subarray(at, cut));
    at = cut;
  }
  finder.add(at, bytes.subarray(at));
  return finder.finish() ?? [{ offset: 0, length: bytes.byteLength }];
}

describe("DataRunFinder", () => {
  test("leaves only zeros out, wherever the content is cut", () => {
    fc.assert(
      fc.property(content, fc.array(fc.nat(200 * block)), (bytes, cuts) => {
        const runs = find(bytes, cuts);
        const copy = Buffer.alloc(bytes.byteLength);
        for (const { offset, length } of runs)
          copy.set(bytes.subarray(offset, offset + length), offset);
        expect(copy.equals(bytes)).toBe(true);
        expect(runs).toEqual(find(bytes, []));
      }),
    );
  });

  test("gives runs in order, whole blocks apart, never past the end", () => {
    fc.assert(
      fc.property(content, (bytes) => {
        let end = -1;
        for (const { offset, length } of find(bytes, [])) {
          expect(offset).toBeGreaterThan(end);
          expect(offset % block).toBe(0);
          end = offset + length;
          expect(end).toBeLessThanOrEqual(bytes.byteLength);
        }
      }),
    );
  });

  test("makes no hole of fewer than 16 blocks between data", () => {
    const bytes = Buffer.alloc(17 * block, 0);
    bytes[0] = 1;
    bytes[16 * block] = 1;
    expect(find(bytes, [])).toEqual([{ offset: 0, length: 17 * block }]);
    const longer = Buffer.alloc(18 * block, 0);
    longer[0] = 1;
    longer[17 * block] = 1;
    expect(find(longer, [])).toEqual([
      { offset: 0, length: block },
      { offset: 17 * block, length: block },
    ]);
  });

  test("finds no data in a file of zeros", () => {
    expect(find(Buffer.alloc(3 * block), [])).toEqual([]);
  });
});

test("isZero sees one byte anywhere in a block", () => {
  expect(isZero(new Uint8Array(0))).toBe(true);
  expect(isZero(new Uint8Array(block))).toBe(true);
  for (const at of [0, 1, 100, block - 1]) {
    const bytes = new Uint8Array(block);
    bytes[at] = 1;
    expect(isZero(bytes)).toBe(false);
  }
});
