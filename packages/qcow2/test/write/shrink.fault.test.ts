import { MemoryFile, type RandomAccess } from "@box/io";
import { checkStructure, createImage, openImage, Qcow2Error } from "@box/qcow2";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { diskSteps, layouts, runStep } from "../support/disk-script.ts";
import { Failer, memoryChain, recordedFiles } from "../support/qcow2-files.ts";

const names = [
  "clusters of 512 and refcounts of 1 bit",
  "clusters of 4 KiB and refcounts of 8 bits",
  "version 2",
  "extended L2 entries",
];
// More than one L2 table for the small clusters.
const size = 150 * 512 + 90;
const backing = memoryChain({ base: new MemoryFile(new Uint8Array(size + 5000).fill(0xbb)) });

async function makeDisk(layout: string, steps: Parameters<typeof runStep>[1][], hasBase: boolean) {
  const file = new MemoryFile();
  const base = hasBase ? { backing: { name: "base", format: "raw" } } : {};
  await createImage(file, { virtualSizeBytes: size, ...layouts[layout], ...base });
  const image = await openImage(file, { mode: "rw", backing });
  for (const step of steps) await runStep(image, step);
  await image.close();
  return file;
}

async function contentOf(file: RandomAccess): Promise<Uint8Array> {
  const image = await openImage(file, { backing });
  return image.read(0, image.sizeBytes);
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

const steps = [
  { kind: "write", offset: 100, length: size - 100, value: 3 },
  { kind: "writeZeroes", offset: 40_000, length: 9000, value: 1 },
] as const;

describe("a disk that is made smaller", () => {
  it.for(names)(
    "keeps what is left, gives the rest back and grows with zeros: %s",
    async (layout) => {
      const clusterSize = layouts[layout]?.clusterSizeBytes ?? 65536;
      const script = diskSteps(size, clusterSize, 6);
      await fc.assert(
        fc.asyncProperty(script, fc.nat(size), fc.boolean(), async (written, smaller, hasBase) => {
          const file = await makeDisk(layout, written, hasBase);
          const before = await contentOf(file);
          const image = await openImage(file, { mode: "rw", backing });
          await image.resize(smaller, { shrink: true });
          expect(image.sizeBytes).toBe(smaller);
          expect(isSame(await image.read(0, size), before.subarray(0, smaller))).toBe(true);
          await image.flush();
          expect(await checkStructure(file)).toMatchObject({ leaks: 0 });
          const amount = (["off", "full", "metadata"] as const)[written.length % 3] ?? "off";
          await image.resize(size, { preallocation: layout === "version 2" ? "full" : amount });
          before.fill(0, smaller);
          expect(isSame(await image.read(0, size), before)).toBe(true);
          await image.close();
          expect(await checkStructure(file)).toMatchObject({ leaks: 0 });
          expect(isSame(await contentOf(file), before)).toBe(true);
        }),
        { numRuns: 30 },
      );
    },
  );

  it.for(names)(
    "is the old or the new one after any crash, and grows with zeros: %s",
    async (layout) => {
      const start = (await makeDisk(layout, [...steps], true)).toBytes();
      const before = await contentOf(new MemoryFile(start));
      const smaller = 60 * 512 + 7;
      const recorded = recordedFiles({ disk: start });
      const image = await openImage(recorded.files["disk"] as RandomAccess, {
        mode: "rw",
        backing,
      });
      await image.resize(smaller, { shrink: true });
      await image.close();
      const seen = new Set<number>();
      for (const crashed of recorded.crashes()) {
        const file = crashed["disk"] as MemoryFile;
        await checkStructure(file);
        const found = await contentOf(file);
        seen.add(found.byteLength);
        expect(isSame(found, before.subarray(0, found.byteLength))).toBe(true);
        if (found.byteLength === size) continue;
        const left = await openImage(file, { mode: "rw", backing });
        await left.resize(size);
        await left.close();
        const grown = await contentOf(file);
        expect(isSame(grown.subarray(0, smaller), before.subarray(0, smaller))).toBe(true);
        expect(grown.subarray(smaller).every((byte) => byte === 0)).toBe(true);
      }
      expect([...seen]).toEqual([size, smaller]);
    },
  );

  it.for(names)(
    "is the old or the new one when the storage fails once, whichever call it is: %s",
    async (layout) => {
      const start = (await makeDisk(layout, [...steps], true)).toBytes();
      const before = await contentOf(new MemoryFile(start));
      const smaller = 60 * 512 + 7;
      for (let at = 1; ; at++) {
        const file = new MemoryFile(start);
        const failer = new Failer(at);
        const failure = await shrink(failer.wrap(file), smaller).catch((error: unknown) => error);
        await checkStructure(file);
        const found = await contentOf(file);
        expect([size, smaller]).toContain(found.byteLength);
        expect(isSame(found, before.subarray(0, found.byteLength))).toBe(true);
        if (failer.failed === undefined) break;
        expect(failure).toBeInstanceOf(Qcow2Error);
        expect(failure).toMatchObject({ kind: "io" });
        await shrink(file, smaller);
        expect(isSame(await contentOf(file), before.subarray(0, smaller))).toBe(true);
      }
    },
  );
});

async function shrink(file: RandomAccess, sizeBytes: number): Promise<void> {
  const image = await openImage(file, { mode: "rw", backing });
  try {
    await image.resize(sizeBytes, { shrink: true });
  } finally {
    await image.close();
  }
}
