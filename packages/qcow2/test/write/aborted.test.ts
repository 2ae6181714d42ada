import { MemoryFile, observeFile } from "@box/io";
import { checkImage, createImage, openImage, type Qcow2Image } from "@box/qcow2";
import { describe, expect, it } from "vitest";

const mebibyte = 2 ** 20;
const aborted = { name: "Qcow2Error", code: "QCOW2_ABORTED", kind: "aborted" };

async function imageOf(withDataFile = false) {
  const [file, data] = [new MemoryFile(), new MemoryFile()];
  const dataFile = withDataFile ? { dataFile: { name: "data", target: data } } : {};
  await createImage(file, { virtualSizeBytes: mebibyte, clusterSizeBytes: 4096, ...dataFile });
  const abort = new AbortController();
  const { signal } = abort;
  const open = (): Promise<Qcow2Image> =>
    openImage(file, { mode: "rw", signal, dataFile: async () => ({ source: data }) });
  return { file, data, abort, open };
}

describe("a disk that is made larger with all of it preallocated", () => {
  const cases = [
    ["full", false],
    ["metadata", false],
    ["full", true],
    ["metadata", true],
  ] as const;

  it.each(cases)("%s, data file: %s: tells how far it is", async (preallocation, hasDataFile) => {
    const { open } = await imageOf(hasDataFile);
    await using image = await open();
    const told: number[] = [];
    const sizeBytes = 40 * mebibyte;
    await image.resize(sizeBytes, {
      preallocation,
      onProgress: ({ doneBytes, totalBytes }) => {
        expect(totalBytes).toBe(sizeBytes);
        told.push(doneBytes);
      },
    });
    expect(told.at(-1)).toBe(sizeBytes);
    expect(image.sizeBytes).toBe(sizeBytes);
  });

  it.each(cases)(
    "%s, data file: %s: stops when it is aborted, and keeps its size and nothing else",
    async (preallocation, hasDataFile) => {
      const { file, data, abort, open } = await imageOf(hasDataFile);
      const [before, dataBefore] = [await file.size(), await data.size()];
      const told: number[] = [];
      const image = await open();
      await image.write(0, new Uint8Array(mebibyte).fill(7));
      await image.flush();
      const filled = Math.max(before, await file.size());
      const resizing = image.resize(64 * mebibyte, {
        preallocation,
        onProgress: ({ doneBytes }) => {
          told.push(doneBytes);
          abort.abort();
        },
      });
      await expect(resizing).rejects.toMatchObject(aborted);
      expect(told).toHaveLength(1);
      expect(image.sizeBytes).toBe(mebibyte);
      await image.close();
      expect(await file.size()).toBeLessThanOrEqual(filled + 2 * 4096);
      expect(await data.size()).toBe(dataBefore);
      expect((await checkImage(file)).findings).toEqual([]);
      await using again = await openImage(file, { dataFile: async () => ({ source: data }) });
      expect(again.sizeBytes).toBe(mebibyte);
      expect((await again.read(0, mebibyte)).every((byte) => byte === 7)).toBe(true);
    },
  );
});

describe("an image whose caller gives up", () => {
  it("throws what ended the work, and not that closing failed too", async () => {
    const { file, abort, open } = await imageOf();
    const work = async (): Promise<void> => {
      await using image = await open();
      await image.addBitmap("bits");
      await image.write(0, new Uint8Array(512).fill(7));
      abort.abort();
      await image.write(65536, new Uint8Array(512).fill(8));
    };
    await expect(work()).rejects.toMatchObject(aborted);
    // What was done before is safe, and the bitmap knows of it.
    await using image = await openImage(file);
    expect((await image.read(0, 1))[0]).toBe(7);
    expect((await image.read(65536, 1))[0]).toBe(0);
    expect(await image.bitmaps()).toMatchObject([{ name: "bits", isInUse: false }]);
    expect((await checkImage(file)).findings).toEqual([]);
  });

  it("stops zeroing a large range between its parts", async () => {
    const file = new MemoryFile();
    const abort = new AbortController();
    const sizeBytes = 2 ** 42;
    const backing = { name: "base", format: "raw" };
    await createImage(file, { virtualSizeBytes: sizeBytes, backing });
    const base = {
      size: async () => sizeBytes,
      read: async (_: number, length: number) => new Uint8Array(length),
    };
    const source = observeFile(file, ({ kind }) => {
      if (kind === "write") abort.abort();
    });
    const image = await openImage(source, {
      mode: "rw",
      signal: abort.signal,
      backing: async () => ({ source: base }),
    });
    await expect(image.writeZeroes(0, sizeBytes)).rejects.toMatchObject(aborted);
    await image.close();
    expect((await checkImage(file)).findings).toEqual([]);
  });
});

describe("an image whose storage fails", () => {
  it("is told so when it is closed, whatever was told before", async () => {
    const { file } = await imageOf();
    let isFull = false;
    const source = observeFile(file, ({ kind }) => {
      if (kind !== "write" || !isFull) return;
      throw Object.assign(new Error("ENOSPC: no space left"), { code: "ENOSPC" });
    });
    const full = { name: "Qcow2Error", code: "QCOW2_NO_SPACE", kind: "no-space" };
    const work = async (): Promise<void> => {
      await using image = await openImage(source, { mode: "rw" });
      await image.write(0, new Uint8Array(512).fill(7));
      isFull = true;
      const second = image.write(65536, new Uint8Array(512).fill(8));
      await expect(second).rejects.toMatchObject(full);
    };
    await expect(work()).rejects.toMatchObject(full);
  });
});
