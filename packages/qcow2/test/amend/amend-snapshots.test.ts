import { MemoryFile, type RandomAccess } from "@box/io";
import {
  amendImage,
  type CreateImageOptions,
  checkImage,
  createImage,
  inspectImage,
  openImage,
  Qcow2Error,
} from "@box/qcow2";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Failer, memoryChain, recordedFiles } from "../support/qcow2-files.ts";
import { type ImageModel, imageSteps, runImageStep } from "../support/snapshot-script.ts";

const size = 40 * 4096 + 700;
const base = new Uint8Array(size - 9000).fill(0xbb);
const backing = memoryChain({ base: new MemoryFile(base) });
const onBase: Partial<CreateImageOptions> = { backing: { name: "base", format: "raw" } };
type Steps = readonly Parameters<typeof runImageStep>[2][];

async function makeDisk(options: Partial<CreateImageOptions>, steps: Steps) {
  const file = new MemoryFile();
  await createImage(file, { virtualSizeBytes: size, clusterSizeBytes: 4096, ...options });
  const disk = new Uint8Array(size);
  if (options.backing) disk.set(base);
  const model: ImageModel = { disk, snapshots: [] };
  const image = await openImage(file, { mode: "rw", backing });
  for (const step of steps) await runImageStep(image, model, step);
  await image.close();
  return { file, model };
}

/** Everything that an image holds is what it was, and its tables are right. */
async function requireSame(file: RandomAccess, model: ImageModel): Promise<void> {
  expect((await checkImage(file)).findings).toEqual([]);
  const image = await openImage(file, { backing });
  expect(Buffer.compare(await image.read(0, size), model.disk)).toBe(0);
  for (const { id, disk } of model.snapshots) {
    const snapshot = await image.openSnapshot(id);
    expect(Buffer.compare(await snapshot.read(0, size), disk)).toBe(0);
  }
}

const zeroed = { kind: "writeZeroes", offset: 20_000, length: 60_000, value: 1 } as const;
const steps: Steps = [
  { kind: "write", offset: 100, length: 50_000, value: 3 },
  zeroed,
  { kind: "create", which: 0 },
  { kind: "create", which: 1 },
  { kind: "write", offset: 30_000, length: 9000, value: 5 },
  { ...zeroed, offset: size - 9000, length: 9000 },
  { kind: "create", which: 2 },
  { kind: "write", offset: 0, length: 300, value: 9 },
];

describe("amendImage to version 2, of an image with snapshots", () => {
  it("keeps what the disk and every snapshot read as, whatever was done before", async () => {
    const made = fc.constantFrom(onBase, {});
    await fc.assert(
      fc.asyncProperty(imageSteps(size, 4096, 4), made, async (written, options) => {
        const { file, model } = await makeDisk(options, written);
        await amendImage(file, { version: 2 });
        expect((await inspectImage(file)).version).toBe(2);
        await requireSame(file, model);
        for (const { id, disk } of model.snapshots) {
          const image = await openImage(file, { mode: "rw", backing });
          await image.applySnapshot(id);
          await image.write(25_000, new Uint8Array(9000).fill(7));
          await image.close();
          await requireSame(file, { ...model, disk: disk.slice().fill(7, 25_000, 34_000) });
        }
      }),
      { numRuns: 30 },
    );
  });

  it("stores the zeros of all snapshots once", async () => {
    const { file } = await makeDisk(onBase, [zeroed, { kind: "create", which: 0 }]);
    await amendImage(file, { version: 2 });
    const image = await openImage(file, { backing });
    const places = new Set<number>();
    for await (const extent of (await image.openSnapshot("1")).extents()) {
      if (extent.depth === 0 && extent.hostOffset !== undefined) places.add(extent.hostOffset);
    }
    // 20,000 to 80,000 begins and ends inside a cluster, which have places of their own.
    expect(places.size).toBe(3);
  });

  it("gives back the places that zero clusters of snapshots keep", async () => {
    const { file, model } = await makeDisk({}, [{ kind: "write", offset: 0, length: 9, value: 3 }]);
    const image = await openImage(file, { mode: "rw" });
    await image.resize(size - 30_000, { shrink: true });
    await image.resize(size, { preallocation: "metadata" });
    const { id } = await image.createSnapshot("placed", { date: new Date(0) });
    await image.close();
    expect((await checkImage(file)).counters.allocatedClusters).toBe(9);
    await amendImage(file, { version: 2 });
    await requireSame(file, { ...model, snapshots: [{ id, name: "placed", disk: model.disk }] });
    expect((await checkImage(file)).counters.allocatedClusters).toBe(1);
  });

  it("takes another cluster of zeros where refcounts of 16 bits would overflow", async () => {
    const virtualSizeBytes = 33_000 * 512;
    const file = new MemoryFile();
    await createImage(file, { ...onBase, virtualSizeBytes, clusterSizeBytes: 512 });
    const below = {
      backing: memoryChain({ base: new MemoryFile(new Uint8Array(virtualSizeBytes)) }),
    };
    const image = await openImage(file, { mode: "rw", ...below });
    await image.writeZeroes(0, virtualSizeBytes);
    for (const name of ["one", "two"]) await image.createSnapshot(name, { date: new Date(0) });
    await image.close();
    await amendImage(file, { version: 2 });
    expect((await checkImage(file)).findings).toEqual([]);
  });

  it("refuses snapshots of another size and those with 4 GiB of machine state, and writes nothing", async () => {
    const { file } = await makeDisk({}, steps);
    const image = await openImage(file, { mode: "rw" });
    await image.resize(2 * size);
    await image.close();
    const { file: paused } = await makeDisk({}, steps);
    const { snapshots } = await inspectImage(paused);
    await paused.write(snapshots.offset + 40 + 3, Uint8Array.of(1));
    for (const refused of [file, paused]) {
      const before = refused.toBytes();
      await expect(amendImage(refused, { version: 2 })).rejects.toMatchObject({
        code: "QCOW2_UNSUPPORTED_FEATURE",
        structure: "snapshot table",
        hint: "delete these snapshots first",
      });
      expect(Buffer.compare(refused.toBytes(), before)).toBe(0);
    }
  });

  it.each([
    ["on a base", onBase],
    ["alone", {}],
  ] as const)("loses nothing in any crash: %s", async (_, options) => {
    const { file, model } = await makeDisk(options, steps);
    const recorded = recordedFiles({ disk: file.toBytes() });
    await amendImage(recorded.files["disk"] as RandomAccess, { version: 2 });
    let crashes = 0;
    for (const crashed of recorded.crashes()) {
      crashes++;
      const left = crashed["disk"] as MemoryFile;
      const { findings } = await checkImage(left);
      expect(findings.filter(({ severity }) => severity !== "leak")).toEqual([]);
      const image = await openImage(left, { backing });
      expect(Buffer.compare(await image.read(0, size), model.disk)).toBe(0);
      for (const { id, disk } of model.snapshots) {
        const snapshot = await image.openSnapshot(id);
        expect(Buffer.compare(await snapshot.read(0, size), disk)).toBe(0);
      }
    }
    expect(crashes).toBeGreaterThan(50);
  });

  it("can be done again when the storage has failed once, whichever call it was", async () => {
    const { file: made, model } = await makeDisk(onBase, steps);
    const start = made.toBytes();
    for (let at = 1; ; at++) {
      const file = new MemoryFile(start);
      const failer = new Failer(at);
      const amending = amendImage(failer.wrap(file), { version: 2 });
      const failure = await amending.catch((error: unknown) => error);
      if (failer.failed === undefined) break;
      expect(failure).toBeInstanceOf(Qcow2Error);
      await checkImage(file, { repair: "leaks" });
      await amendImage(file, { version: 2 });
      expect((await inspectImage(file)).version).toBe(2);
      await requireSame(file, model);
    }
  });
});
