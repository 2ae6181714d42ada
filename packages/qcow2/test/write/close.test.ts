import { MemoryFile } from "@box/io";
import { createImage, openImage, type Qcow2Image } from "@box/qcow2";
import { expect, it } from "vitest";

/** An image in storage whose writes or flushes can be made to fail. */
async function failingImage(): Promise<{
  file: MemoryFile;
  image: Qcow2Image;
  fails: { write: boolean; flush: boolean };
}> {
  const file = new MemoryFile();
  await createImage(file, { virtualSizeBytes: 2 ** 24, clusterSizeBytes: 512 });
  const fails = { write: false, flush: false };
  const failWhen = (isFailing: boolean) => {
    if (isFailing) throw Object.assign(new Error("EIO: i/o error"), { code: "EIO" });
  };
  const image = await openImage(
    {
      size: () => file.size(),
      read: (offset, length) => file.read(offset, length),
      async write(offset, bytes) {
        failWhen(fails.write);
        await file.write(offset, bytes);
      },
      async flush() {
        failWhen(fails.flush);
      },
    },
    { mode: "rw" },
  );
  return { file, image, fails };
}

it("a second close ends when the first does, and as it does", async () => {
  const { file, image } = await failingImage();
  await image.write(0, Uint8Array.of(7));
  const first = image.close();
  await image.close();
  const copy = new MemoryFile(file.toBytes());
  await first;
  await using reopened = await openImage(copy);
  expect((await reopened.read(0, 1))[0]).toBe(7);
});

it("a close that failed is never told to have been well", async () => {
  const { image, fails } = await failingImage();
  await image.write(0, Uint8Array.of(7));
  fails.write = true;
  await expect(image.close()).rejects.toMatchObject({ code: "QCOW2_IO" });
  fails.write = false;
  await expect(image.close()).rejects.toMatchObject({ code: "QCOW2_IO" });
  // It has been told: the end of a block does not cover what the block ended with.
  await image[Symbol.asyncDispose]();
});

it("close tells that a change is lost which had succeeded before another one ended all writing", async () => {
  const { image, fails } = await failingImage();
  await image.write(0, Uint8Array.of(7));
  fails.flush = true;
  await expect(image.resize(2 ** 25)).rejects.toMatchObject({ code: "QCOW2_IO" });
  fails.flush = false;
  await expect(image.close()).rejects.toMatchObject({ code: "QCOW2_IO" });
});

it("close has nothing to tell when the flush of all changes was told to have failed", async () => {
  const { image, fails } = await failingImage();
  await image.write(0, Uint8Array.of(7));
  fails.flush = true;
  await expect(image.flush()).rejects.toMatchObject({ code: "QCOW2_IO" });
  await image.close();
});

it("a block ends with the failure that ended all writing, not with two of it", async () => {
  const { image, fails } = await failingImage();
  const block = async () => {
    await using open = image;
    await open.write(0, Uint8Array.of(7));
    fails.flush = true;
    await open.resize(2 ** 25);
  };
  await expect(block()).rejects.toMatchObject({ code: "QCOW2_IO" });
});

it("the end of a block tells that what was written could not be stored", async () => {
  const { image, fails } = await failingImage();
  const block = async () => {
    await using open = image;
    await open.write(0, Uint8Array.of(7));
    fails.write = true;
  };
  await expect(block()).rejects.toMatchObject({ code: "QCOW2_IO" });
});

it("a list of the bitmaps that was asked for before the close is given", async () => {
  const { image } = await failingImage();
  await image.addBitmap("bits");
  const listing = image.bitmaps();
  await image.close();
  expect(await listing).toMatchObject([{ name: "bits" }]);
});

it("close has nothing to tell when all was flushed, and only the bitmaps were looked at since", async () => {
  const { image, fails } = await failingImage();
  await image.addBitmap("bits");
  await image.write(0, Uint8Array.of(7));
  await image.flush();
  await image.bitmaps();
  fails.flush = true;
  await expect(image.resize(2 ** 25)).rejects.toMatchObject({ code: "QCOW2_IO" });
  await image.close();
});
