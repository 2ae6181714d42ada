import { MemoryFile, observeFile, type RandomAccess } from "@box/io";
import { allowList, compareImages, createImage, openImage, type Qcow2Image } from "@box/qcow2";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { diskSteps, layouts, runStep } from "../support/disk-script.ts";

async function imageOf(content: Uint8Array, layout = "clusters of 64 KiB"): Promise<Qcow2Image> {
  const file = new MemoryFile();
  await createImage(file, { virtualSizeBytes: content.byteLength, ...layouts[layout] });
  const image = await openImage(file, { mode: "rw" });
  if (content.byteLength > 0) await image.write(0, content);
  return image;
}

const mebibyte = 2 ** 20;

describe("compareImages", () => {
  it("finds a raw file and an image identical, and the first byte that differs", async () => {
    const bytes = new Uint8Array(5 * mebibyte + 13).map((_, at) => (at * 7) >> 9);
    const image = await imageOf(bytes);
    expect(await compareImages(new MemoryFile(bytes), image)).toEqual({
      isIdentical: true,
      hasSameSize: true,
    });
    for (const at of [0, 1, 65_537, 3 * mebibyte + 3, 5 * mebibyte + 12]) {
      const changed = bytes.slice();
      changed[at] = (changed[at] ?? 0) ^ 0x80;
      changed[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 0x80;
      for (const [a, b] of [
        [image, new MemoryFile(changed)],
        [new MemoryFile(changed), image],
      ] as const) {
        expect(await compareImages(a, b)).toEqual({
          isIdentical: false,
          hasSameSize: true,
          difference: "content",
          offset: at,
        });
      }
    }
  });

  it("takes a shorter disk to go on with zeros, unless it is strict", async () => {
    const short = new MemoryFile(new Uint8Array(1000).fill(1));
    const long = new Uint8Array(3 * mebibyte);
    long.fill(1, 0, 1000);
    const zeros = new MemoryFile(long);
    expect(await compareImages(short, zeros)).toEqual({ isIdentical: true, hasSameSize: false });
    expect(await compareImages(zeros, short, { isStrict: true })).toEqual({
      isIdentical: false,
      hasSameSize: false,
      difference: "size",
    });
    long[2 * mebibyte + 5] = 9;
    const found = await compareImages(new MemoryFile(long), short);
    expect(found).toMatchObject({ difference: "content", offset: 2 * mebibyte + 5 });
    const empty = await imageOf(new Uint8Array(0));
    expect(await compareImages(empty, zeros)).toMatchObject({ offset: 0 });
    expect(await compareImages(empty, new MemoryFile())).toEqual({
      isIdentical: true,
      hasSameSize: true,
    });
  });

  it("tells zero, unallocated, stored and compressed apart when it is strict", async () => {
    const [stored, zero, none] = await Promise.all(
      [0, 1, 2].map(() => imageOf(new Uint8Array(0)).then(() => imageOf(new Uint8Array(196_608)))),
    );
    await zero?.writeZeroes(0, 196_608);
    const fresh = new MemoryFile();
    await createImage(fresh, { virtualSizeBytes: 196_608 });
    await none?.close();
    const untouched = await openImage(fresh);
    const images = [stored, zero, untouched] as Qcow2Image[];
    for (const a of images) {
      for (const b of images) {
        expect((await compareImages(a, b)).isIdentical).toBe(true);
        const strict = await compareImages(a, b, { isStrict: true });
        expect(strict).toMatchObject(
          a === b ? { isIdentical: true } : { difference: "allocation", offset: 0 },
        );
      }
    }
  });

  it("reads nothing where both are known to be zeros", async () => {
    const file = new MemoryFile();
    await createImage(file, { virtualSizeBytes: 2 ** 40 });
    const image = await openImage(file, { mode: "rw" });
    await image.write(2 ** 39, new Uint8Array(65536).fill(1));
    let bytesRead = 0;
    const source = observeFile(new MemoryFile(), () => {});
    const sparse: RandomAccess = { ...source, size: async () => 2 ** 39 };
    const copy = await openImage(
      observeFile(file, ({ kind, length }) => {
        if (kind === "read") bytesRead += length;
      }),
    );
    await image.flush();
    const same = await openImage(file);
    expect(await compareImages(copy, same)).toMatchObject({ isIdentical: true });
    expect(bytesRead).toBeLessThan(2 ** 20);
    await expect(compareImages(sparse, same)).rejects.toMatchObject({ code: "QCOW2_SHORT_READ" });
  });

  it("tells progress in order, stops when it is aborted, and passes on what a source throws", async () => {
    const bytes = new Uint8Array(6 * mebibyte).fill(3);
    const told: number[] = [];
    const onProgress = ({ doneBytes, totalBytes }: { doneBytes: number; totalBytes: number }) => {
      expect(totalBytes).toBe(bytes.byteLength);
      told.push(doneBytes);
    };
    await compareImages(new MemoryFile(bytes), new MemoryFile(bytes), { onProgress });
    expect(told).toEqual([1, 2, 3, 4, 5, 6].map((part) => part * mebibyte));
    const controller = new AbortController();
    const aborting = compareImages(new MemoryFile(bytes), new MemoryFile(bytes), {
      signal: controller.signal,
      onProgress: () => controller.abort(),
    });
    await expect(aborting).rejects.toMatchObject({ code: "QCOW2_ABORTED" });
    const failing = observeFile(new MemoryFile(bytes), ({ kind, offset }) => {
      if (kind === "read" && offset >= 2 * mebibyte) throw new Error("EIO: i/o error");
    });
    const copy = new MemoryFile(bytes);
    await expect(compareImages(copy, failing)).rejects.toMatchObject({ code: "QCOW2_IO" });
    bytes[5] = 4;
    const other = new MemoryFile(bytes);
    // What differs before the failure is an answer all the same.
    expect(await compareImages(other, failing)).toMatchObject({ offset: 5 });
  });

  it("equals a comparison byte by byte of random images over random backing files", async () => {
    const size = 24 * 4096 + 1000;
    const base = new MemoryFile(new Uint8Array(size / 2).fill(7));
    const resolver = allowList([{ name: "b", open: () => ({ source: base }) }]);
    const make = async (layout: string, steps: Parameters<typeof runStep>[1][]) => {
      const file = new MemoryFile();
      const backing = { name: "b", format: "raw" };
      const options = { virtualSizeBytes: size, ...layouts[layout], backing };
      await createImage(file, options);
      const image = await openImage(file, { mode: "rw", backing: resolver });
      for (const step of steps) await runStep(image, step);
      return image;
    };
    const names = ["clusters of 4 KiB and refcounts of 8 bits", "version 2", "extended L2 entries"];
    const layout = fc.constantFrom(...names);
    const steps = diskSteps(size, 4096, 4);
    await fc.assert(
      fc.asyncProperty(layout, steps, layout, steps, async (layoutA, stepsA, layoutB, stepsB) => {
        const a = await make(layoutA, stepsA);
        const b = await make(layoutB, stepsB);
        const [bytesA, bytesB] = [await a.read(0, size), await b.read(0, size)];
        const at = bytesA.findIndex((byte, index) => byte !== bytesB[index]);
        const found = await compareImages(a, b);
        expect(found.isIdentical).toBe(at < 0);
        expect(found.offset ?? -1).toBe(at);
      }),
      { numRuns: 60 },
    );
  });
});
