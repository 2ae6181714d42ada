import { MemoryFile } from "@box/io";
import { createImage, inspectImage, openImage, type Qcow2Image } from "@box/qcow2";
import { describe, expect, it } from "vitest";
import { edit } from "../../fixtures/build.ts";

const clusterBytes = 4096;
const virtualSizeBytes = 2 ** 20;
const overlap = { code: "QCOW2_OVERLAP", kind: "corrupt", structure: "data cluster" };

/** An image with a bitmap and ten clusters of data, and where its tables are. */
async function imageWithBitmap() {
  const file = new MemoryFile();
  await createImage(file, { virtualSizeBytes, clusterSizeBytes: clusterBytes });
  {
    await using image = await openImage(file, { mode: "rw" });
    await image.addBitmap("bits", { granularityBytes: clusterBytes });
    await image.write(0, new Uint8Array(10 * clusterBytes).fill(7));
  }
  const bytes = file.toBytes();
  const view = edit(bytes);
  const { bitmaps } = await inspectImage(file);
  if (bitmaps === undefined) throw new Error("the image has a bitmap");
  const l2 = Number(view.getBigUint64(Number(view.getBigUint64(40))) & 0x00ff_ffff_ffff_fe00n);
  return { bytes, view, l2, bitmapTable: Number(view.getBigUint64(bitmaps.offset)) };
}

const changes: Readonly<Record<string, (image: Qcow2Image) => Promise<void>>> = {
  "the bitmap is removed": (image) => image.removeBitmap("bits"),
  "the bitmap is cleared": (image) => image.clearBitmap("bits"),
  "the disk becomes smaller": (image) => image.resize(8 * clusterBytes, { shrink: true }),
};

async function expectStopped(
  bytes: Uint8Array,
  change: (image: Qcow2Image) => Promise<unknown>,
): Promise<void> {
  const file = new MemoryFile(bytes);
  const image = await openImage(file, { mode: "rw" });
  await expect(change(image)).rejects.toMatchObject(overlap);
  const more = image.write(0, new Uint8Array(clusterBytes));
  await expect(more).rejects.toMatchObject({ code: "QCOW2_OVERLAP" });
  await image.close();
  expect((await inspectImage(file)).isMarkedCorrupt).toBe(true);
  const after = await openImage(file);
  const found = await after.read(clusterBytes, 7 * clusterBytes);
  expect(found.every((byte) => byte === 7)).toBe(true);
}

describe("what is given back and holds metadata, in a damaged image", () => {
  it.each(Object.keys(changes))("stops all writing when %s: bits on the L2 table", async (name) => {
    const { bytes, view, l2, bitmapTable } = await imageWithBitmap();
    view.setBigUint64(bitmapTable, BigInt(l2));
    await expectStopped(bytes, changes[name] as (image: Qcow2Image) => Promise<void>);
  });

  it("stops all writing when an L2 entry names its own table", async () => {
    const { bytes, view, l2 } = await imageWithBitmap();
    view.setBigUint64(l2, BigInt(l2) | (1n << 63n));
    await expectStopped(bytes, async (image) => {
      await image.discard(0, clusterBytes);
      await image.flush();
    });
  });
});
