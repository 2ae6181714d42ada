import { MemoryFile, observeFile } from "@box/io";
import { checkImage, createImage, openImage, type Qcow2Image } from "@box/qcow2";
import { describe, expect, it } from "vitest";

const clusterBytes = 512;
const sizeBytes = 2 ** 21;

async function markedImage(): Promise<Uint8Array> {
  const file = new MemoryFile();
  await createImage(file, { virtualSizeBytes: sizeBytes, clusterSizeBytes: clusterBytes });
  const image = await openImage(file, { mode: "rw" });
  for (const name of ["one", "two"]) await image.addBitmap(name, { granularityBytes: 512 });
  await image.write(sizeBytes - clusterBytes, new Uint8Array(clusterBytes).fill(1));
  await image.close();
  return file.toBytes();
}

async function readAll(image: Qcow2Image): Promise<void> {
  for await (const range of image.dirtyRanges("one")) expect(range.length).toBeGreaterThan(0);
}

const changes: Readonly<Record<string, (image: Qcow2Image) => Promise<unknown>>> = {
  addBitmap: (image) => image.addBitmap("three"),
  removeBitmap: (image) => image.removeBitmap("one"),
  clearBitmap: (image) => image.clearBitmap("one"),
  disableBitmap: (image) => image.disableBitmap("one"),
  bitmaps: (image) => image.bitmaps(),
  dirtyRanges: readAll,
  grow: (image) => image.resize(sizeBytes * 4),
  shrink: (image) => image.resize(sizeBytes / 2, { shrink: true }),
};

describe.each(Object.keys(changes))("%s", (name) => {
  it("that is aborted at any read, write or flush leaves nothing behind and no bitmap in use", async () => {
    const start = await markedImage();
    const outcomes = new Set<string>();
    for (let at = 1; at < 500; at++) {
      const file = new MemoryFile(start);
      const abort = new AbortController();
      let calls = 0;
      let isChanging = false;
      const observed = observeFile(file, () => {
        if (isChanging && ++calls === at) abort.abort();
      });
      const image = await openImage(observed, { mode: "rw", signal: abort.signal });
      await image.write(0, new Uint8Array(clusterBytes).fill(7));
      await image.write(2 ** 20 - clusterBytes, new Uint8Array(clusterBytes).fill(8));
      isChanging = true;
      const code = await changes[name]?.(image).then(
        () => "done",
        (error: { code?: string }) => error.code ?? String(error),
      );
      isChanging = false;
      outcomes.add(code ?? "");
      await image.close();
      expect((await checkImage(file)).findings).toEqual([]);
      await using reopened = await openImage(file);
      expect((await reopened.read(0, 1))[0]).toBe(7);
      expect((await reopened.read(2 ** 20 - clusterBytes, 1))[0]).toBe(8);
      const bitmaps = await reopened.bitmaps();
      expect(bitmaps.filter(({ isInUse }) => isInUse)).toEqual([]);
      for (const bitmap of bitmaps.filter((other) => other.name === "two")) {
        const found: number[] = [];
        for await (const range of reopened.dirtyRanges(bitmap.name)) found.push(range.start);
        expect(found).toEqual(expect.arrayContaining([0, 2 ** 20 - clusterBytes]));
      }
      if (calls < at) break;
    }
    expect(outcomes).toEqual(new Set(["done", "QCOW2_ABORTED"]));
  });
});
