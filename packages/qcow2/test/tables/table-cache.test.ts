import { MemoryFile, observeFile } from "@box/io";
import { describe, expect, it } from "vitest";
import { SourceReader } from "../../src/bytes/source-reader.ts";
import { TableCache } from "../../src/tables/table-cache.ts";

const sliceBytes = 4096;

/** A cache of four slices over a file whose slices begin with their number, and the offsets that it reads. */
async function cacheOfFour(): Promise<{ cache: TableCache; reads: number[] }> {
  const bytes = new Uint8Array(16 * sliceBytes).map((_, at) => Math.floor(at / sliceBytes));
  const reads: number[] = [];
  const file = observeFile(new MemoryFile(bytes), ({ kind, offset = -1 }) => {
    if (kind === "read") reads.push(offset / sliceBytes);
  });
  const reader = await SourceReader.open(file);
  return { cache: new TableCache(reader, sliceBytes, 4 * sliceBytes, false), reads };
}

const load = (cache: TableCache, slice: number): Promise<DataView> =>
  cache.load(slice * sliceBytes, "L2 table");
const has = (cache: TableCache, slice: number): boolean => cache.has(slice * sliceBytes);

describe("TableCache", () => {
  it("never holds more slices than its budget allows", async () => {
    const { cache } = await cacheOfFour();
    for (let slice = 0; slice < 16; slice++) {
      expect((await load(cache, slice)).getUint8(0)).toBe(slice);
      expect(cache.peek(slice * sliceBytes)?.getUint8(1)).toBe(slice);
      const held = Array.from({ length: 16 }, (_, at) => at).filter((at) => has(cache, at));
      expect(held.length).toBe(Math.min(4, slice + 1));
    }
  });

  it("keeps what is used over what is not", async () => {
    const { cache, reads } = await cacheOfFour();
    for (let slice = 0; slice < 16; slice++) {
      await load(cache, slice);
      if (cache.peek(0) === undefined) await load(cache, 0);
    }
    expect(reads.filter((slice) => slice === 0).length).toBeLessThanOrEqual(2);
  });

  it("keeps changes until they are written", async () => {
    const { cache } = await cacheOfFour();
    const slice = await load(cache, 0);
    cache.edit(slice, 8, 8, "L2 table");
    slice.setUint8(8, 77);
    for (let other = 1; other < 16; other++) await load(cache, other);
    expect(cache.peek(0)?.getUint8(8)).toBe(77);
    const [edit] = cache.edits("L2 table");
    expect(edit).toMatchObject({ start: 0, from: 8, to: 16 });
    if (edit) cache.wasWritten(edit);
    for (let other = 1; other < 16; other++) await load(cache, other);
    expect(has(cache, 0)).toBe(false);
  });

  it("reads a slice once for those who ask at the same time", async () => {
    const { cache, reads } = await cacheOfFour();
    const loads = [load(cache, 3), load(cache, 3)];
    expect(has(cache, 3)).toBe(true);
    await Promise.all(loads);
    expect(reads).toEqual([3]);
  });

  it("keeps a change that was made while the one before was written", async () => {
    const { cache } = await cacheOfFour();
    const slice = await load(cache, 0);
    cache.edit(slice, 0, 8, "L2 table");
    const [first] = cache.edits("L2 table");
    cache.edit(slice, 16, 8, "L2 table");
    if (first) cache.wasWritten(first);
    expect(cache.edits("L2 table")).toMatchObject([{ from: 0, to: 24 }]);
  });

  it("takes a slice back that was dropped before it is changed", async () => {
    const { cache } = await cacheOfFour();
    const slice = await load(cache, 0);
    for (let other = 1; other < 16; other++) await load(cache, other);
    expect(has(cache, 0)).toBe(false);
    const again = load(cache, 0);
    cache.edit(slice, 8, 8, "L2 table");
    slice.setUint8(8, 77);
    await again;
    expect(cache.peek(0)?.getUint8(8)).toBe(77);
    expect(cache.edits("L2 table")).toMatchObject([{ slice }]);
  });

  it("holds no more new tables than others once they are written", async () => {
    const { cache } = await cacheOfFour();
    for (let table = 0; table < 64; table++) {
      cache.adopt(table * sliceBytes, new Uint8Array(sliceBytes), "L2 table");
      for (const edit of cache.edits("L2 table")) cache.wasWritten(edit);
    }
    const held = Array.from({ length: 64 }, (_, at) => at).filter((at) => has(cache, at));
    expect(held).toHaveLength(4);
  });

  it("refuses to forget what is changed", async () => {
    const { cache } = await cacheOfFour();
    cache.edit(await load(cache, 0), 0, 8, "L2 table");
    expect(() => cache.clear()).toThrow("tables with changes must not be forgotten");
  });

  it.each([
    ["replaced", (cache: TableCache) => cache.adopt(0, new Uint8Array(sliceBytes), "L2 table")],
    ["forgotten", (cache: TableCache) => cache.forget(0, sliceBytes)],
    ["forgotten with all others", (cache: TableCache) => cache.clear()],
  ])("does not bring back a table that was %s while it was read", async (_, change) => {
    const reader = await SourceReader.open(new MemoryFile(new Uint8Array(sliceBytes).fill(9)));
    const cache = new TableCache(reader, sliceBytes, 4 * sliceBytes, false);
    const loading = load(cache, 0);
    change(cache);
    const again = cache.has(0) ? cache.peek(0) : undefined;
    expect((await loading).getUint8(0)).toBe(9);
    expect(cache.peek(0)).toBe(again);
    expect((await load(cache, 0)).getUint8(0)).toBe(again === undefined ? 9 : 0);
  });
});
