import { MemoryFile, type RandomAccess } from "@box/io";
import { checkImage, createImage, openImage, type Qcow2Image } from "@box/qcow2";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Failer, recordedFiles } from "../support/qcow2-files.ts";

type Ranges = readonly (readonly [start: number, end: number])[];

/** Bits of 512 bytes in clusters of 512: one cluster of bits stands for 2 MiB. */
const perCluster = 512 * 8 * 512;
const size = 2 * perCluster + 5000;

const layouts = {
  "small clusters": { clusterSizeBytes: 512 },
  "clusters of 64 KiB": {},
  "extended L2 entries": { clusterSizeBytes: 16384, hasExtendedL2: true },
} as const;

/** An image whose bitmaps mark some ranges. */
async function makeImage(layout: keyof typeof layouts, ranges: Ranges): Promise<MemoryFile> {
  const file = new MemoryFile();
  await createImage(file, { virtualSizeBytes: size, ...layouts[layout] });
  await using image = await openImage(file, { mode: "rw" });
  await image.addBitmap("fine", { granularityBytes: 512 });
  await image.addBitmap("coarse", { granularityBytes: 65536 });
  for (const [start, end] of ranges) await image.writeZeroes(start, end - start);
  await image.disableBitmap("coarse");
  return file;
}

async function rangesOf(image: Qcow2Image, name: string): Promise<Ranges> {
  const ranges: [number, number][] = [];
  for await (const { start, length } of image.dirtyRanges(name))
    ranges.push([start, start + length]);
  return ranges;
}

/** What is left of ranges in a disk of another size, when one bit stands for so many bytes. */
function resized(ranges: Ranges, from: number, to: number, granularity: number): Ranges {
  const whole = (at: number) => Math.ceil(at / granularity) * granularity;
  const bits = new Set<number>();
  for (const [start, end] of ranges) {
    for (
      let at = start - (start % granularity);
      at < Math.min(whole(end), whole(from));
      at += granularity
    ) {
      if (at < to) bits.add(at);
    }
  }
  const joined: [number, number][] = [];
  for (const at of [...bits].sort((a, b) => a - b)) {
    const last = joined.at(-1);
    if (last?.[1] === at) last[1] = at + granularity;
    else joined.push([at, at + granularity]);
  }
  const last = joined.at(-1);
  if (last) last[1] = Math.min(last[1], to);
  return joined;
}

const marked: Ranges = [
  [0, 1000],
  [perCluster - 700, perCluster + 90],
  [2 * perCluster + 100, size],
];

const sizes = [
  ["to one of fewer clusters of bits, at a border", perCluster],
  ["to one of fewer clusters of bits, between borders", perCluster + 777],
  ["inside its last bit", size - 3],
  ["to a byte", 1],
  ["to more clusters of bits", 5 * perCluster + 12345],
  ["inside its last cluster of bits", size + 100_000],
] as const;

describe.for(Object.keys(layouts) as (keyof typeof layouts)[])(
  "bitmaps of a disk: %s",
  (layout) => {
    it.for(sizes)("follow it %s", async ([, to]) => {
      const file = await makeImage(layout, marked);
      const image = await openImage(file, { mode: "rw" });
      await image.resize(to, { shrink: true });
      for (const granularity of [512, 65536]) {
        const name = granularity === 512 ? "fine" : "coarse";
        expect(await rangesOf(image, name)).toEqual(resized(marked, size, to, granularity));
      }
      expect(await image.bitmaps()).toMatchObject([
        { name: "fine", isAuto: true },
        { name: "coarse", isAuto: false },
      ]);
      await image.close();
      expect(await checkImage(file)).toMatchObject({ findings: [] });
      await using again = await openImage(file);
      expect(await rangesOf(again, "fine")).toEqual(resized(marked, size, to, 512));
    });

    it("follow it through any sizes and writes, and forget what was cut off", async () => {
      const step = fc.tuple(fc.integer({ min: 1, max: 4 * perCluster }), fc.nat(), fc.nat(70_000));
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 5 }), async (steps) => {
          const file = await makeImage(layout, marked);
          const image = await openImage(file, { mode: "rw" });
          let known = resized(marked, size, size, 512);
          for (const [to, at, length] of steps) {
            known = resized(known, image.sizeBytes, to, 512);
            await image.resize(to, { shrink: true });
            const start = at % to;
            const end = Math.min(to, start + length);
            if (end > start) known = resized([...known, [start, end]], to, to, 512);
            await image.writeZeroes(start, end - start);
          }
          expect(await rangesOf(image, "fine")).toEqual(known);
          await image.close();
          expect(await checkImage(file)).toMatchObject({ findings: [] });
        }),
        { numRuns: 30 },
      );
    });

    it.for(sizes)("are those of the old or of the new disk after any crash %s", async ([, to]) => {
      const start = (await makeImage(layout, marked)).toBytes();
      const recorded = recordedFiles({ disk: start });
      const image = await openImage(recorded.files["disk"] as RandomAccess, { mode: "rw" });
      await image.resize(to, { shrink: true });
      await image.close();
      const seen = new Set<number>();
      for (const crashed of recorded.crashes()) {
        const file = crashed["disk"] as MemoryFile;
        const { findings } = await checkImage(file);
        expect(findings.filter(({ severity }) => severity === "error")).toEqual([]);
        await using found = await openImage(file);
        seen.add(found.sizeBytes);
        const expected = resized(marked, size, found.sizeBytes, 512);
        expect(await rangesOf(found, "fine")).toEqual(expected);
      }
      expect([...seen]).toEqual([size, to]);
    });

    it("are those of one disk when the storage fails once, whichever call it is", async () => {
      const start = (await makeImage(layout, marked)).toBytes();
      for (const to of [perCluster + 777, 3 * perCluster]) {
        for (let at = 1; ; at++) {
          const file = new MemoryFile(start);
          const failer = new Failer(at);
          const resize = async (source: RandomAccess): Promise<void> => {
            await using image = await openImage(source, { mode: "rw" });
            await image.resize(to, { shrink: true });
          };
          const failure = await resize(failer.wrap(file)).catch((error: unknown) => error);
          const { findings } = await checkImage(file);
          expect(findings.filter(({ severity }) => severity === "error")).toEqual([]);
          await using found = await openImage(file);
          const expected = resized(marked, size, found.sizeBytes, 512);
          expect(await rangesOf(found, "fine")).toEqual(expected);
          if (failer.failed === undefined) break;
          if (failure !== undefined) expect(failure).toMatchObject({ kind: "io" });
          // Giving back what the old bitmaps used is no part of it, and was done again when the image was closed.
          else expect([found.sizeBytes, findings]).toEqual([to, []]);
        }
      }
    });
  },
);

/** Changes four bytes of the first table entry of the first bitmap: all ones. */
async function allOnes(file: MemoryFile, entry: number): Promise<void> {
  const [bitmap] = (await (await openImage(file)).describe()).bitmaps;
  expect(bitmap?.name).toBe("fine");
  const view = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset);
  const directory = (await (await openImage(file)).info.bitmaps)?.offset ?? 0;
  const table = Number(view(await file.read(directory, 8)).getBigUint64(0));
  await file.write(table + entry * 8, Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 1));
}

describe("a cluster of bits that is stored as all ones", () => {
  it.for([
    [3 * perCluster, size],
    [2 * perCluster + 100, 2 * perCluster + 100],
    [perCluster, perCluster],
  ] as const)("marks nothing new in a disk of %i bytes", async ([to, end]) => {
    const file = await makeImage("small clusters", []);
    for (const entry of [0, 1, 2]) await allOnes(file, entry);
    const image = await openImage(file, { mode: "rw" });
    const whole = Math.min(to, Math.ceil(end / 512) * 512);
    await image.resize(to, { shrink: true });
    expect(await rangesOf(image, "fine")).toEqual([[0, whole]]);
    await image.resize(4 * perCluster);
    expect(await rangesOf(image, "fine")).toEqual([[0, Math.ceil(whole / 512) * 512]]);
    await image.close();
    expect(await checkImage(file)).toMatchObject({ counters: { corruptions: 0 } });
  });
});

describe("another size is refused, and nothing changes", () => {
  it("for a bitmap that cannot be relied on", async () => {
    const file = await makeImage("small clusters", marked);
    const left = await openImage(file, { mode: "rw" });
    await left.write(0, Uint8Array.of(1));
    await left.flush();
    const before = file.toBytes();
    const image = await openImage(file, { mode: "rw" });
    for (const to of [size - 1000, size + 1000]) {
      const resizing = image.resize(to, { shrink: true });
      await expect(resizing).rejects.toMatchObject({ code: "QCOW2_BITMAP_IN_USE" });
    }
    expect(file.toBytes()).toEqual(before);
    await image.removeBitmap("fine");
    await image.resize(size + 1000);
    await image.close();
  });

  it("for a disk that would be empty, and for more bits than QEMU takes", async () => {
    const file = await makeImage("clusters of 64 KiB", marked);
    const before = file.toBytes();
    const image = await openImage(file, { mode: "rw" });
    const empty = image.resize(0, { shrink: true });
    await expect(empty).rejects.toMatchObject({ code: "QCOW2_UNSUPPORTED_FEATURE" });
    const huge = image.resize(2 ** 41 + 512);
    await expect(huge).rejects.toMatchObject({ code: "QCOW2_TABLE_TOO_LARGE" });
    expect(file.toBytes()).toEqual(before);
  });
});
