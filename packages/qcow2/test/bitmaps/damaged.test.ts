import { MemoryFile } from "@box/io";
import { createImage, inspectImage, openImage } from "@box/qcow2";
import { describe, expect, it } from "vitest";
import { onto } from "../../fixtures/chains.ts";
import { bitmapImage } from "../../fixtures/features.ts";
import { recorded } from "../support/disk-script.ts";

const flagsAt = 12;
const below = onto(() => new MemoryFile());

/** Writes to an image with a damaged bitmap that records, and says what is left of the bitmap. */
async function bitmapsAfterWrite(bytes: Uint8Array): Promise<unknown> {
  const file = new MemoryFile(bytes);
  {
    await using image = await openImage(file, { mode: "rw", ...below });
    await image.write(0, new Uint8Array(512).fill(7));
  }
  await using image = await openImage(file, below);
  expect((await image.read(0, 1))[0]).toBe(7);
  return await image.bitmaps();
}

const stillInUse = [{ name: "bits", isInUse: true, isAuto: true }];

describe("a bitmap that cannot record a write", () => {
  it("stays marked in use when its table is damaged", async () => {
    const bytes = bitmapImage((view, _, table) => view.setBigUint64(table, 2n));
    expect(await bitmapsAfterWrite(bytes)).toMatchObject(stillInUse);
  });

  it("stays marked in use when it has extra data that is not known", async () => {
    // Eight bytes of extra data stand in front of the name.
    const bytes = bitmapImage((view, directory) => {
      view.setUint32(directory + 20, 8);
      new Uint8Array(view.buffer).copyWithin(directory + 32, directory + 24, directory + 28);
      view.setBigUint64(directory + 24, 5n);
      view.setBigUint64(128, 40n);
    });
    expect(await bitmapsAfterWrite(bytes)).toMatchObject(stillInUse);
  });

  it("ends all writing when its bits lie on other metadata", async () => {
    const bytes = bitmapImage((view, directory, table) => {
      view.setBigUint64(table, BigInt(directory));
    });
    const file = new MemoryFile(bytes);
    const image = await openImage(file, { mode: "rw", ...below });
    await image.write(0, new Uint8Array(512).fill(7));
    await expect(image.bitmaps()).rejects.toMatchObject({ code: "QCOW2_OVERLAP" });
    await expect(image.write(0, Uint8Array.of(1))).rejects.toMatchObject({ code: "QCOW2_OVERLAP" });
    expect((await inspectImage(file)).isMarkedCorrupt).toBe(true);
  });

  it("is dropped with all others when their directory is damaged", async () => {
    const bytes = bitmapImage((view, directory) => view.setUint8(directory + 16, 9));
    expect(await bitmapsAfterWrite(bytes)).toEqual([]);
  });
});

describe("a bitmap with a damaged table", () => {
  it("is not merged into, and nothing is changed", async () => {
    const bytes = bitmapImage((view, directory, table) => {
      view.setBigUint64(table, 2n);
      view.setUint32(directory + flagsAt, 0);
    });
    const { file, log } = recorded(new MemoryFile(bytes));
    const image = await openImage(file, { mode: "rw", ...below });
    await expect(image.mergeBitmap("bits", "bits")).rejects.toMatchObject({
      code: "QCOW2_BITMAP_INVALID",
    });
    expect(log).toEqual([]);
  });
});

it("bits that stand for nothing, behind the end of the disk, are no dirty ranges", async () => {
  let tableAt = 0;
  const bytes = bitmapImage((_, __, table) => {
    tableAt = table;
  });
  const dataAt = Number(new DataView(bytes.buffer).getBigUint64(tableAt));
  // 2^14 bits are for the disk of 1 GiB.
  bytes[dataAt] = 1;
  bytes.fill(0xff, dataAt + 2 ** 11 - 1, dataAt + 2 ** 11 + 1);
  bytes[dataAt + 2 ** 11 + 5] = 1;
  await using image = await openImage(new MemoryFile(bytes), below);
  const ranges: unknown[] = [];
  for await (const range of image.dirtyRanges("bits")) ranges.push(range);
  expect(ranges).toEqual([
    { start: 0, length: 65536 },
    { start: 2 ** 30 - 8 * 65536, length: 8 * 65536 },
  ]);
});

describe("addBitmap", () => {
  it("refuses a granularity over 2 GiB and a bitmap of more than 2^32 bits", async () => {
    const file = new MemoryFile();
    await createImage(file, { virtualSizeBytes: 2 ** 41 + 512 });
    await using image = await openImage(file, { mode: "rw" });
    const wide = image.addBitmap("wide", { granularityBytes: 2 ** 32 });
    await expect(wide).rejects.toMatchObject({ code: "QCOW2_INVALID_ARGUMENT" });
    const fine = image.addBitmap("fine", { granularityBytes: 512 });
    await expect(fine).rejects.toMatchObject({ code: "QCOW2_TABLE_TOO_LARGE" });
    await image.addBitmap("coarse", { granularityBytes: 2 ** 31 });
    expect((await image.bitmaps()).map(({ name }) => name)).toEqual(["coarse"]);
  });

  it("allows a bitmap of exactly 2^32 bits", async () => {
    const file = new MemoryFile();
    await createImage(file, { virtualSizeBytes: 2 ** 41, clusterSizeBytes: 2 ** 21 });
    await using image = await openImage(file, { mode: "rw" });
    await image.addBitmap("fine", { granularityBytes: 512 });
    expect(await image.bitmaps()).toHaveLength(1);
  });

  it("changes nothing when the header has no room for it", async () => {
    const file = new MemoryFile();
    const backing = { name: "b".repeat(370), format: "raw" };
    await createImage(file, { virtualSizeBytes: 2 ** 20, clusterSizeBytes: 512, backing });
    const before = file.toBytes();
    const options = { mode: "rw", backing: async () => ({ source: new MemoryFile() }) } as const;
    await using image = await openImage(file, options);
    await expect(image.addBitmap("bits")).rejects.toMatchObject({ code: "QCOW2_INVALID_ARGUMENT" });
    expect(Buffer.compare(file.toBytes(), before)).toBe(0);
  });
});

describe("a bitmap that is in use", () => {
  it.each(["enableBitmap", "disableBitmap"] as const)(
    "is refused by %s, and stays so",
    async (change) => {
      const bytes = bitmapImage((view, directory) => {
        view.setUint32(directory + flagsAt, view.getUint32(directory + flagsAt) | 1);
      });
      const file = new MemoryFile(bytes);
      const image = await openImage(file, { mode: "rw", ...below });
      await expect(image[change]("bits")).rejects.toMatchObject({ code: "QCOW2_BITMAP_IN_USE" });
      await image.close();
      expect(file.toBytes()).toEqual(bytes);
    },
  );
});
