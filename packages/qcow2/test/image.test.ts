import { MemoryFile } from "@box/io";
import { createImage, openImage, type Qcow2Image } from "@box/qcow2";
import { describe, expect, it } from "vitest";
import { recorded } from "./support/disk-script.ts";

const date = new Date(0);
const clusterSizeBytes = 4096;
const virtualSizeBytes = 64 * clusterSizeBytes;

/** An image with a snapshot and a bitmap that marks every cluster. */
async function markedImage(): Promise<MemoryFile> {
  const file = new MemoryFile();
  await createImage(file, { virtualSizeBytes, clusterSizeBytes });
  await using image = await openImage(file, { mode: "rw" });
  await image.createSnapshot("one", { date });
  await image.addBitmap("bits", { granularityBytes: 512 });
  for (let at = 0; at < virtualSizeBytes; at += 2 * clusterSizeBytes) {
    await image.write(at, new Uint8Array(512).fill(1));
  }
  return file;
}

/** Every call that changes an image. */
const changes: Readonly<Record<string, (image: Qcow2Image) => Promise<unknown>>> = {
  write: (image) => image.write(0, Uint8Array.of(1)),
  writeZeroes: (image) => image.writeZeroes(0, 512),
  discard: (image) => image.discard(0, 512),
  punchHole: (image) => image.punchHole(0, 512),
  resize: (image) => image.resize(2 * virtualSizeBytes),
  createSnapshot: (image) => image.createSnapshot("two", { date }),
  applySnapshot: (image) => image.applySnapshot("one"),
  deleteSnapshot: (image) => image.deleteSnapshot("one"),
  addBitmap: (image) => image.addBitmap("more"),
  removeBitmap: (image) => image.removeBitmap("bits"),
  clearBitmap: (image) => image.clearBitmap("bits"),
  enableBitmap: (image) => image.enableBitmap("bits"),
  disableBitmap: (image) => image.disableBitmap("bits"),
  mergeBitmap: (image) => image.mergeBitmap("bits", "bits"),
};

describe("an image that may not be changed", () => {
  it.each(Object.keys(changes))("refuses %s when it is open for reading only", async (name) => {
    const file = await markedImage();
    const before = file.toBytes();
    await using image = await openImage(file);
    await expect(changes[name]?.(image)).rejects.toMatchObject({ code: "QCOW2_READ_ONLY" });
    expect(file.toBytes()).toEqual(before);
  });

  it.each(Object.keys(changes))("refuses %s when it is a snapshot", async (name) => {
    const { file, log } = recorded(await markedImage());
    await using image = await openImage(file, { mode: "rw" });
    const snapshot = await image.openSnapshot("one");
    await expect(changes[name]?.(snapshot)).rejects.toMatchObject({ code: "QCOW2_READ_ONLY" });
    await snapshot.flush();
    await snapshot.close();
    expect(log).toEqual([]);
    expect((await image.read(0, 1))[0]).toBe(1);
  });

  it.each([...Object.keys(changes), "read", "flush", "describe"])(
    "refuses %s once it is closed",
    async (name) => {
      const image = await openImage(await markedImage(), { mode: "rw" });
      await image.close();
      const others = {
        read: () => image.read(0, 1),
        flush: () => image.flush(),
        describe: () => image.describe(),
      };
      const change = changes[name] ?? others[name as keyof typeof others];
      const error = { code: "QCOW2_INVALID_ARGUMENT", message: "the image is closed" };
      await expect(change(image)).rejects.toMatchObject(error);
    },
  );
});

describe("a range that is not one of the disk", () => {
  it.each([
    [-1, 1],
    [0.5, 1],
    [2 ** 53, 0],
  ])("is refused: %d, %d bytes", async (start, length) => {
    await using image = await openImage(await markedImage(), { mode: "rw" });
    const error = { code: "QCOW2_INVALID_ARGUMENT" };
    await expect(image.read(start, length)).rejects.toMatchObject(error);
    await expect(image.writeZeroes(start, length)).rejects.toMatchObject(error);
    await expect(image.discard(start, length)).rejects.toMatchObject(error);
  });

  it("is not written past the end of the disk, and read up to it", async () => {
    const { file, log } = recorded(await markedImage());
    await using image = await openImage(file, { mode: "rw" });
    const error = { code: "QCOW2_INVALID_ARGUMENT" };
    const writing = image.write(virtualSizeBytes - 1, new Uint8Array(2));
    await expect(writing).rejects.toMatchObject(error);
    await expect(image.writeZeroes(virtualSizeBytes, 1)).rejects.toMatchObject(error);
    expect(log).toEqual([]);
    expect(await image.read(virtualSizeBytes - 1, 2)).toHaveLength(1);
    await image.write(virtualSizeBytes - 1, Uint8Array.of(5));
    expect(await image.read(virtualSizeBytes - 1, 2)).toEqual(Uint8Array.of(5));
  });
});

describe("dirtyRanges", () => {
  it("ends when the bitmap is changed meanwhile, whether or not more would follow", async () => {
    await using image = await openImage(await markedImage(), { mode: "rw" });
    const inUse = { code: "QCOW2_BITMAP_IN_USE" };
    const early = image.dirtyRanges("bits");
    expect((await early.next()).value).toEqual({ start: 0, length: 512 });
    await image.clearBitmap("bits");
    await expect(early.next()).rejects.toMatchObject(inUse);
    await image.write(0, Uint8Array.of(1));
    const late = image.dirtyRanges("bits");
    expect((await late.next()).value).toEqual({ start: 0, length: 512 });
    await image.clearBitmap("bits");
    await expect(late.next()).rejects.toMatchObject(inUse);
  });
});

describe("flush", () => {
  it("writes nothing when nothing was changed", async () => {
    const { file, log } = recorded(await markedImage());
    const image = await openImage(file, { mode: "rw" });
    await image.flush();
    await image.close();
    expect(log).toEqual([]);
  });
});
