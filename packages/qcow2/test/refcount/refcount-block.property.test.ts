import fc from "fast-check";
import { expect, it } from "vitest";
import { viewOf } from "../../src/bytes/big-endian.ts";
import { readRefcount, writeRefcount } from "../../src/refcount/refcount-block.ts";

it("a refcount of any width is read as it was written and leaves its neighbours alone", () => {
  const write = fc.record({ index: fc.integer({ min: 0, max: 63 }), value: fc.nat() });
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 6 }), fc.array(write), (order, writes) => {
      const block = new Uint8Array(512);
      const model = new Array<number>(64).fill(0);
      for (const { index, value } of writes) {
        model[index] = value % 2 ** Math.min(2 ** order, 53);
        writeRefcount(block, index, order, model[index]);
      }
      const read = model.map((_, index) => readRefcount(viewOf(block), index, order));
      expect(read).toEqual(model);
    }),
  );
});
