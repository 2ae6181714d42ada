import { MemoryFile, observeFile } from "@box/io";
import { describe, expect, it } from "vitest";
import { SourceReader } from "../../src/bytes/source-reader.ts";
import { BlockCache } from "../../src/refcount/block-cache.ts";

const clusterSize = 2 ** 18;
const blocks = 40;
const offsets = Array.from({ length: blocks }, (_, index) => index * clusterSize);

async function cacheOfBlocks(): Promise<{ cache: BlockCache; reads: () => number }> {
  let reads = 0;
  const file = observeFile(new MemoryFile(new Uint8Array(blocks * clusterSize)), ({ kind }) => {
    if (kind === "read") reads++;
  });
  const reader = await SourceReader.open(file);
  return { cache: new BlockCache(reader, clusterSize, 4), reads: () => reads };
}

describe("BlockCache", () => {
  it("keeps the blocks that were loaded last, and no more than 4 MiB of them", async () => {
    const { cache } = await cacheOfBlocks();
    for (const offset of offsets) {
      await cache.load(offset);
      const kept = offsets.filter((other) => cache.peek(other) !== undefined);
      expect(kept).toEqual(
        offsets.slice(Math.max(0, offset / clusterSize - 15), offset / clusterSize + 1),
      );
    }
  });

  it("keeps blocks with changes until they are written", async () => {
    const { cache, reads } = await cacheOfBlocks();
    const first = await cache.load(0);
    first.set(7, 3);
    for (const offset of offsets) await cache.load(offset);
    expect(cache.peek(0)).toBe(first);
    expect(cache.dirty()).toEqual([first]);
    first.wasWritten();
    expect(cache.dirty()).toEqual([]);
    for (const offset of offsets.slice(1)) await cache.load(offset);
    expect(cache.peek(0)).toBeUndefined();
    const before = reads();
    await cache.load(0);
    expect(reads()).toBe(before + 1);
  });

  it("keeps no more than 4 MiB of blocks that were new, once they are written", async () => {
    const { cache } = await cacheOfBlocks();
    for (const offset of offsets) cache.create(offset);
    // A new block counts as changed before any of its refcounts is: the file has something else there.
    expect(cache.dirty()).toHaveLength(blocks);
    for (const block of cache.dirty()) block.wasWritten();
    await cache.load(blocks * clusterSize - clusterSize);
    cache.create(blocks * clusterSize);
    expect(offsets.filter((offset) => cache.peek(offset) !== undefined)).toHaveLength(15);
  });

  it("keeps more than 4 MiB when all of it has changes", async () => {
    const { cache } = await cacheOfBlocks();
    for (const offset of offsets) (await cache.load(offset)).set(0, 1);
    expect(cache.dirty().map(({ offset }) => offset)).toEqual(offsets);
  });
});
