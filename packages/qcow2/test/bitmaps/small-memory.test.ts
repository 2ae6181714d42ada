import { MemoryFile } from "@box/io";
import { checkImage, createImage, openImage, type Qcow2Image } from "@box/qcow2";
import { fixtures } from "@box/qcow2/fixtures";
import { describe, expect, it } from "vitest";

const virtualSizeBytes = 2 ** 27;
const limits = { maxMetadataBytes: 49152 };

async function dirtyBytes(image: Qcow2Image, name: string): Promise<number> {
  let sum = 0;
  for await (const { length } of image.dirtyRanges(name)) sum += length;
  return sum;
}

describe("bitmaps whose bits do not fit in memory at once", () => {
  it("are stored as they fill, and lose nothing", async () => {
    const file = new MemoryFile();
    await createImage(file, { virtualSizeBytes, clusterSizeBytes: 4096 });
    {
      await using image = await openImage(file, { mode: "rw", limits });
      await image.addBitmap("all", { granularityBytes: 512 });
      await image.addBitmap("merged", { granularityBytes: 512, isEnabled: false });
      await image.writeZeroes(0, virtualSizeBytes);
      await image.mergeBitmap("merged", "all");
    }
    expect((await checkImage(file)).findings).toEqual([]);
    await using image = await openImage(file);
    expect(await dirtyBytes(image, "all")).toBe(virtualSizeBytes);
    expect(await dirtyBytes(image, "merged")).toBe(virtualSizeBytes);
  });
});

describe("a bitmap whose table says that all bits are set", () => {
  it("marks the disk up to its end, and still does after a write", async () => {
    const fixture = fixtures.find(({ name }) => name === "valid/bitmap-all-ones");
    const file = new MemoryFile(fixture?.build() as Uint8Array);
    await using image = await openImage(file, { mode: "rw" });
    expect(await dirtyBytes(image, "bits")).toBe(image.sizeBytes);
    await image.write(0, Uint8Array.of(1));
    expect(await dirtyBytes(image, "bits")).toBe(image.sizeBytes);
  });
});

describe("addBitmap", () => {
  it.each([
    ["version 2", { version: 2, virtualSizeBytes: 2 ** 20 } as const],
    ["a disk without a byte", { virtualSizeBytes: 0 }],
  ])("refuses %s", async (_, options) => {
    const file = new MemoryFile();
    await createImage(file, options);
    const before = file.toBytes();
    await using image = await openImage(file, { mode: "rw" });
    const code = "QCOW2_UNSUPPORTED_FEATURE";
    await expect(image.addBitmap("bits")).rejects.toMatchObject({ code });
    expect(file.toBytes()).toEqual(before);
  });
});
