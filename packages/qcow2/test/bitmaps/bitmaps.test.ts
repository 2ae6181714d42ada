import { MemoryFile } from "@box/io";
import { checkImage, createImage, inspectImage, openImage, type Qcow2Image } from "@box/qcow2";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { afterCrash } from "../support/after-crash.ts";
import { recorded } from "../support/disk-script.ts";
import { failing } from "../support/failing.ts";

const size = 300_000;

async function freshImage(options = {}): Promise<MemoryFile> {
  const file = new MemoryFile();
  await createImage(file, { virtualSizeBytes: size, clusterSizeBytes: 512, ...options });
  return file;
}

async function rangesOf(image: Qcow2Image, name: string): Promise<[number, number][]> {
  const found: [number, number][] = [];
  for await (const { start, length } of image.dirtyRanges(name)) found.push([start, length]);
  return found;
}

describe("a bitmap", () => {
  it("records writes, zeroes and discards while it is enabled, and nothing while it is not", async () => {
    const file = await freshImage();
    {
      await using image = await openImage(file, { mode: "rw" });
      await image.write(0, new Uint8Array(600).fill(1));
      await image.addBitmap("fine", { granularityBytes: 512 });
      await image.addBitmap("coarse", { granularityBytes: 65536 });
      await image.addBitmap("off", { isEnabled: false });
      expect(await rangesOf(image, "fine")).toEqual([]);
      await image.write(1000, new Uint8Array(100).fill(1));
      await image.writeZeroes(10_000, 1);
      await image.discard(290_000, 10_000);
      expect(await rangesOf(image, "fine")).toEqual([
        [512, 1024],
        [9728, 512],
        [289_792, size - 289_792],
      ]);
      await image.disableBitmap("fine");
      await image.write(100_000, Uint8Array.of(1));
      await image.enableBitmap("fine");
      await image.write(120_000, Uint8Array.of(1));
    }
    const image = await openImage(file);
    expect(await rangesOf(image, "fine")).toEqual([
      [512, 1024],
      [9728, 512],
      [119_808, 512],
      [289_792, size - 289_792],
    ]);
    expect(await rangesOf(image, "coarse")).toEqual([
      [0, 131_072],
      [262_144, size - 262_144],
    ]);
    expect(await rangesOf(image, "off")).toEqual([]);
    expect((await checkImage(file)).findings).toEqual([]);
  });

  it("is cleared, merged and removed without a leak", async () => {
    const file = await freshImage();
    {
      await using image = await openImage(file, { mode: "rw" });
      await image.addBitmap("a", { granularityBytes: 512 });
      await image.write(5000, new Uint8Array(5000).fill(1));
      await image.addBitmap("b", { granularityBytes: 4096 });
      await image.write(50_000, Uint8Array.of(1));
      await image.clearBitmap("a");
      expect(await rangesOf(image, "a")).toEqual([]);
      await image.mergeBitmap("a", "b");
      expect(await rangesOf(image, "a")).toEqual([[49_152, 4096]]);
      await image.removeBitmap("b");
      expect((await image.bitmaps()).map(({ name }) => name)).toEqual(["a"]);
      await image.removeBitmap("a");
      await expect(image.removeBitmap("a")).rejects.toMatchObject({
        code: "QCOW2_BITMAP_NOT_FOUND",
      });
    }
    const info = await inspectImage(file);
    expect(info.features.autoclear).toBe(0n);
    expect(info.extensions.some(({ type }) => type === 0x23852875)).toBe(false);
    expect((await checkImage(file)).findings).toEqual([]);
  });

  it("is refused in version 2, twice, with a bad name or granularity, and nothing is changed", async () => {
    const old = await openImage(await freshImage({ version: 2 }), { mode: "rw" });
    await expect(old.addBitmap("a")).rejects.toMatchObject({ kind: "unsupported" });
    const file = await freshImage();
    const image = await openImage(file, { mode: "rw" });
    await image.addBitmap("a");
    const before = file.toBytes();
    for (const change of [
      image.addBitmap(""),
      image.addBitmap("x".repeat(1024)),
      image.addBitmap("b", { granularityBytes: 1000 }),
      image.addBitmap("b", { granularityBytes: 256 }),
    ]) {
      await expect(change).rejects.toMatchObject({ code: "QCOW2_INVALID_ARGUMENT" });
    }
    await expect(image.addBitmap("a")).rejects.toMatchObject({ code: "QCOW2_BITMAP_EXISTS" });
    expect(file.toBytes()).toEqual(before);
  });

  it("cannot be relied on after a crash, and can be removed then", async () => {
    const file = await freshImage();
    const image = await openImage(file, { mode: "rw" });
    await image.addBitmap("a");
    await image.write(0, Uint8Array.of(1));
    await image.flush();
    const crashed = new MemoryFile(file.toBytes());
    await using again = await openImage(crashed, { mode: "rw" });
    expect(await again.bitmaps()).toMatchObject([{ name: "a", isInUse: true }]);
    await expect(rangesOf(again, "a")).rejects.toMatchObject({ code: "QCOW2_BITMAP_IN_USE" });
    await expect(again.clearBitmap("a")).rejects.toMatchObject({ code: "QCOW2_BITMAP_IN_USE" });
    await again.write(0, Uint8Array.of(2));
    expect(await again.bitmaps()).toMatchObject([{ name: "a", isInUse: true }]);
    await again.removeBitmap("a");
    expect(await again.bitmaps()).toEqual([]);
  });

  it("is dropped on the first write when its autoclear bit is gone", async () => {
    const file = await freshImage();
    {
      await using image = await openImage(file, { mode: "rw" });
      await image.addBitmap("a");
    }
    await file.write(88, new Uint8Array(8));
    const image = await openImage(file, { mode: "rw" });
    expect((await inspectImage(file)).hasStaleBitmaps).toBe(true);
    expect(await image.bitmaps()).toEqual([]);
    await image.write(0, Uint8Array.of(1));
    await image.close();
    expect((await inspectImage(file)).hasStaleBitmaps).toBe(false);
    expect((await checkImage(file)).errorCount).toBe(0);
  });
});

describe("a disk with bitmaps", () => {
  it("has every change in them after any crash, or they say that they cannot be relied on", async () => {
    const change = fc.record({
      kind: fc.constantFrom("write", "write", "zero", "add", "clear", "remove", "merge", "flush"),
      at: fc.nat(size - 5000),
      length: fc.integer({ min: 1, max: 5000 }),
    });
    const run = async (changes: { kind: string; at: number; length: number }[], chance: number) => {
      const memory = await freshImage();
      {
        await using image = await openImage(memory, { mode: "rw" });
        await image.addBitmap("kept", { granularityBytes: 512 });
      }
      const start = memory.toBytes();
      const { file, log } = recorded(memory);
      const image = await openImage(file, { mode: "rw" });
      for (const { kind, at, length } of changes) {
        const bytes = new Uint8Array(length).fill(1);
        if (kind === "write") await image.write(at, bytes);
        if (kind === "zero") await image.writeZeroes(at, length);
        if (kind === "flush") await image.flush();
        const names = (await image.bitmaps()).map(({ name }) => name);
        if (kind === "add" && !names.includes("b")) await image.addBitmap("b");
        if (!names.includes("b")) continue;
        if (kind === "clear") await image.clearBitmap("b");
        if (kind === "remove") await image.removeBitmap("b");
        if (kind === "merge") await image.mergeBitmap("b", "kept");
      }
      await image.close();
      for (let end = 0; end <= log.length; end++) {
        for (const draw of [0, chance + end + 1]) {
          const crashed = afterCrash(start, log, end, draw);
          const { errorCount, findings } = await checkImage(crashed);
          expect(errorCount, JSON.stringify(findings)).toBe(0);
          await requireHonest(crashed);
        }
      }
      expect((await checkImage(memory)).findings).toEqual([]);
      expect(await requireHonest(memory)).toBe(true);
    };
    const steps = fc.array(change, { minLength: 1, maxLength: 8 });
    await fc.assert(fc.asyncProperty(steps, fc.nat(), run), { numRuns: 8 });
  });
});

/** A bitmap that may be relied on marks every byte that is not zero: the disk was empty when it was added. */
async function requireHonest(file: MemoryFile): Promise<boolean> {
  const image = await openImage(file);
  const kept = (await image.bitmaps()).find(({ name }) => name === "kept");
  if (kept === undefined) throw new Error("the bitmap is gone");
  if (kept.isInUse) return false;
  const disk = await image.read(0, size);
  for (const [start, length] of await rangesOf(image, "kept")) disk.fill(0, start, start + length);
  expect(disk.every((byte) => byte === 0)).toBe(true);
  return true;
}

describe("a storage that fails once", () => {
  it("leaves bitmaps that are right, or say that they are not", async () => {
    for (let at = 1; ; at++) {
      if (at > 3000) throw new Error("the script never ends");
      const memory = await freshImage();
      {
        await using image = await openImage(memory, { mode: "rw" });
        await image.addBitmap("kept", { granularityBytes: 512 });
      }
      const storage = failing(recorded(memory).file, at);
      await runScript(storage.file).catch((error) => expect(error).toMatchObject({ kind: "io" }));
      expect((await checkImage(memory)).errorCount).toBe(0);
      await requireHonest(memory);
      if (storage.calls < at) return;
    }
  });
});

async function runScript(file: Parameters<typeof openImage>[0]): Promise<void> {
  const image = await openImage(file, { mode: "rw" });
  let failure: unknown;
  const attempt = (run: Promise<unknown>): Promise<unknown> =>
    run.catch((error: unknown) => {
      failure ??= error;
    });
  await attempt(image.write(1000, new Uint8Array(3000).fill(1)));
  await attempt(image.addBitmap("b"));
  await attempt(image.write(100_000, new Uint8Array(3000).fill(1)));
  await attempt(image.clearBitmap("b"));
  await attempt(image.write(200_000, new Uint8Array(3000).fill(1)));
  await attempt(image.close());
  if (failure) throw failure;
}
