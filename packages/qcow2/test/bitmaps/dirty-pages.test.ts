import { MemoryFile, observeFile } from "@box/io";
import { checkImage, createImage, openImage } from "@box/qcow2";
import { expect, it, vi } from "vitest";
import { DirtyPages } from "../../src/bitmaps/dirty-pages.ts";

const original = DirtyPages.prototype.mark;

const entry = {
  entryOffset: 0,
  name: new Uint8Array(1),
  tableOffset: 0,
  tableEntries: 8,
  flags: 0,
  granularityBits: 9,
  extra: new Uint8Array(0),
};

it("what one write marks takes a page of memory, whatever the size of clusters", () => {
  const pages = new DirtyPages(entry, 2 ** 21);
  expect(pages.mark(0, 512)).toBe(512);
  expect(pages.sizeBytes).toBe(4096);
});

it("pages are put together to the clusters that they are parts of", () => {
  const clusterSize = 8192;
  const bitsPerCluster = clusterSize * 8;
  const pages = new DirtyPages(entry, clusterSize);
  const marked = [0, 9, 4096 * 8, 3 * bitsPerCluster + 4096 * 8 + 1, 5 * bitsPerCluster - 1];
  for (const bit of marked.toReversed()) pages.mark(bit * 512, bit * 512 + 1);
  const found: number[] = [];
  for (const [index, bits] of pages.clusters()) {
    expect(bits).toHaveLength(clusterSize);
    for (const [at, byte] of bits.entries()) {
      for (let bit = 0; bit < 8; bit++) {
        if ((byte >> bit) & 1) found.push(index * bitsPerCluster + at * 8 + bit);
      }
    }
  }
  expect(found).toEqual(marked);
  pages.wereStored();
  expect([...pages.clusters(), pages.sizeBytes]).toEqual([0]);
});

it("the bits of all bitmaps together are stored when they take too much memory", async () => {
  const file = new MemoryFile();
  await createImage(file, { virtualSizeBytes: 2 ** 24, clusterSizeBytes: 4096 });
  let writes = 0;
  const observed = observeFile(file, ({ kind }) => {
    if (kind === "write") writes++;
  });
  const names = Array.from({ length: 24 }, (_, index) => `bitmap ${index}`);
  {
    const limits = { maxMetadataBytes: 12 * 4 * 4096 };
    await using image = await openImage(observed, { mode: "rw", limits });
    for (const name of names) await image.addBitmap(name);
    await image.write(0, Uint8Array.of(1));
    const before = writes;
    await image.write(2 ** 23, Uint8Array.of(1));
    // Twelve pages fit: the thirteenth bitmap makes all of them be stored, and so on.
    expect(writes - before).toBeGreaterThan(12);
  }
  await using image = await openImage(file);
  for (const name of names) {
    const starts: number[] = [];
    for await (const { start } of image.dirtyRanges(name)) starts.push(start);
    expect(starts).toEqual([0, 2 ** 23]);
  }
  expect((await checkImage(file)).findings).toEqual([]);
});

it("a bitmap that turns out to be damaged takes no memory any more", async () => {
  const file = new MemoryFile();
  const virtualSizeBytes = 2 ** 30;
  await createImage(file, { virtualSizeBytes, clusterSizeBytes: 4096 });
  const made = await openImage(file, { mode: "rw" });
  await made.addBitmap("bits", { granularityBytes: 512 });
  const { bitmaps } = made.info;
  await made.close();
  // A reserved bit in the first entry of its table.
  const directory = await file.read(bitmaps?.offset ?? 0, 8);
  const table = Number(new DataView(directory.buffer, directory.byteOffset).getBigUint64(0));
  await file.write(table, Uint8Array.of(0x80));
  let marks = 0;
  const mark = vi.spyOn(DirtyPages.prototype, "mark").mockImplementation(function (
    this: DirtyPages,
    start,
    end,
  ) {
    marks++;
    return original.call(this, start, end);
  });
  const limits = { maxMetadataBytes: 2 ** 17 };
  await using image = await openImage(file, { mode: "rw", limits });
  await image.writeZeroes(0, virtualSizeBytes);
  // 64 pages would be marked of one that is sound; a quarter of the memory holds eight.
  expect(marks).toBeLessThan(12);
  mark.mockRestore();
  expect(await image.bitmaps()).toMatchObject([{ isInUse: true }]);
});
