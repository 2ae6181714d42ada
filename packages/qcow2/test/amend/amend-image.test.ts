import { MemoryFile, type RandomAccess } from "@box/io";
import {
  type AmendImageOptions,
  amendImage,
  type CreateImageOptions,
  checkStructure,
  createImage,
  inspectImage,
  openImage,
  Qcow2Error,
} from "@box/qcow2";
import { fixtures } from "@box/qcow2/fixtures";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { diskSteps, runStep } from "../support/disk-script.ts";
import { Failer, memoryChain, recordedFiles } from "../support/qcow2-files.ts";

const size = 40 * 4096 + 700;
const backing = memoryChain({ base: new MemoryFile(new Uint8Array(size - 9000).fill(0xbb)) });
type Steps = readonly Parameters<typeof runStep>[1][];

async function makeDisk(
  options: Partial<CreateImageOptions>,
  steps: Steps = [],
): Promise<MemoryFile> {
  const file = new MemoryFile();
  await createImage(file, { virtualSizeBytes: size, clusterSizeBytes: 4096, ...options });
  const image = await openImage(file, { mode: "rw", backing });
  for (const step of steps) await runStep(image, step);
  await image.close();
  return file;
}

async function contentOf(file: RandomAccess): Promise<Uint8Array> {
  const image = await openImage(file, { backing });
  return image.read(0, image.sizeBytes);
}

const onBase = { backing: { name: "base", format: "raw" } };
const steps: Steps = [
  { kind: "write", offset: 100, length: 50_000, value: 3 },
  { kind: "writeZeroes", offset: 20_000, length: 60_000, value: 1 },
  { kind: "writeZeroes", offset: size - 9000, length: 9000, value: 1 },
];

describe("amendImage", () => {
  it("takes an image to version 2 and back, and keeps what its disk reads as", async () => {
    const versions = fc.constantFrom(onBase, {});
    await fc.assert(
      fc.asyncProperty(diskSteps(size, 4096, 6), versions, async (written, base) => {
        const file = await makeDisk(base, written);
        const before = await contentOf(file);
        for (const version of [2, 2, 3] as const) {
          await amendImage(file, { version });
          const info = await inspectImage(file);
          expect(info.version).toBe(version);
          expect(info.backing?.name).toBe("backing" in base ? "base" : undefined);
          expect(info.features.names.length > 0).toBe(version === 3);
          expect(Buffer.compare(await contentOf(file), before)).toBe(0);
          expect(await checkStructure(file)).toMatchObject({ leaks: 0 });
        }
      }),
      { numRuns: 25 },
    );
  });

  it("gives zero clusters back where nothing is below them", async () => {
    const file = await makeDisk({}, steps);
    await amendImage(file, { version: 2 });
    const image = await openImage(file);
    const kinds = new Set<string>();
    for await (const { kind } of image.extents()) kinds.add(kind);
    expect(kinds).toEqual(new Set(["data", "unallocated"]));
  });

  it("counts refcounts anew in every width, also together with a version", async () => {
    const file = await makeDisk(onBase, steps);
    const before = await contentOf(file);
    for (const refcountBits of [1, 2, 4, 8, 16, 32, 64, 1]) {
      await amendImage(file, { refcountBits });
      expect((await inspectImage(file)).refcountBits).toBe(refcountBits);
      expect(await checkStructure(file)).toMatchObject({ leaks: 0 });
      const image = await openImage(file, { mode: "rw", backing });
      await image.write(70_000, Uint8Array.of(refcountBits));
      before[70_000] = refcountBits;
      await image.close();
    }
    await amendImage(file, { version: 2, refcountBits: 16 });
    expect(await inspectImage(file)).toMatchObject({ version: 2, refcountBits: 16 });
    await amendImage(file, { version: 3, refcountBits: 8, hasLazyRefcounts: true });
    expect(await inspectImage(file)).toMatchObject({
      version: 3,
      refcountBits: 8,
      hasLazyRefcounts: true,
    });
    expect(await checkStructure(file)).toMatchObject({ leaks: 0 });
    expect(Buffer.compare(await contentOf(file), before)).toBe(0);
  });

  it("sets and clears lazy refcounts, renames a data file and lets it not be raw", async () => {
    const file = await makeDisk({});
    await amendImage(file, { hasLazyRefcounts: true });
    expect((await inspectImage(file)).hasLazyRefcounts).toBe(true);
    const bytes = file.toBytes();
    await amendImage(file, { hasLazyRefcounts: true, version: 3, refcountBits: 16 });
    expect(Buffer.compare(file.toBytes(), bytes)).toBe(0);
    await amendImage(file, { hasLazyRefcounts: false });
    expect((await inspectImage(file)).hasLazyRefcounts).toBe(false);
    const data = new MemoryFile();
    await createImage(data, { virtualSizeBytes: size, dataFile: { name: "d", isRaw: true } });
    await amendImage(data, { dataFileName: "other/name", isDataFileRaw: false });
    expect((await inspectImage(data)).dataFile).toMatchObject({ name: "other/name", isRaw: false });
  });

  it("refuses what the image cannot become, and changes nothing then", async () => {
    const refused = async (
      made: Partial<CreateImageOptions>,
      options: AmendImageOptions,
      code: "QCOW2_UNSUPPORTED_FEATURE" | "QCOW2_INVALID_ARGUMENT",
    ) => {
      const file = new MemoryFile();
      await createImage(file, { virtualSizeBytes: size, ...made });
      const before = file.toBytes();
      await expect(amendImage(file, options)).rejects.toMatchObject({ code });
      expect(Buffer.compare(file.toBytes(), before)).toBe(0);
    };
    const [unsupported, invalid] = ["QCOW2_UNSUPPORTED_FEATURE", "QCOW2_INVALID_ARGUMENT"] as const;
    await refused({ hasExtendedL2: true }, { version: 2 }, unsupported);
    await refused({ compressionType: "zstd" }, { version: 2 }, unsupported);
    await refused({ dataFile: { name: "d" } }, { version: 2 }, unsupported);
    await refused({ refcountBits: 8 }, { version: 2 }, invalid);
    await refused({}, { version: 2, hasLazyRefcounts: true }, invalid);
    await refused({ version: 2 }, { hasLazyRefcounts: true }, invalid);
    await refused({ version: 2 }, { refcountBits: 8 }, invalid);
    await refused({}, { refcountBits: 3 }, invalid);
    await refused({}, { dataFileName: "d" }, unsupported);
    await refused({ dataFile: { name: "d" } }, { dataFileName: "" }, invalid);
    await refused({ dataFile: { name: "d" } }, { dataFileName: "x".repeat(1024) }, invalid);
    await refused({ dataFile: { name: "d" } }, { isDataFileRaw: true }, unsupported);
    // A header of version 3 has no room beside this name.
    const long = { clusterSizeBytes: 512, backing: { name: "x".repeat(400), format: "raw" } };
    await refused({ ...long, version: 2 }, { version: 3 }, invalid);
    const dirty = await makeDisk({});
    await dirty.write(79, Uint8Array.of(1));
    await expect(amendImage(dirty, { version: 2 })).rejects.toMatchObject({ code: "QCOW2_DIRTY" });
    const aborted = amendImage(await makeDisk({}), { version: 2, signal: AbortSignal.abort() });
    await expect(aborted).rejects.toMatchObject({ code: "QCOW2_ABORTED" });
  });

  it("counts no refcounts anew while clusters are leaked", async () => {
    const build = fixtures.find(({ name }) => name === "valid/refcount-too-high")?.build;
    const file = new MemoryFile((await build?.()) as Uint8Array);
    const before = file.toBytes();
    await expect(amendImage(file, { refcountBits: 8 })).rejects.toMatchObject({
      code: "QCOW2_UNSUPPORTED_FEATURE",
      hint: "repair the leaks first",
    });
    expect(Buffer.compare(file.toBytes(), before)).toBe(0);
  });

  it("does not make version 3 of an image with snapshots of a size that is not stated", async () => {
    const build = fixtures.find(({ name }) => name === "valid/snapshot-without-extra")?.build;
    const file = new MemoryFile((await build?.()) as Uint8Array);
    await file.write(7, Uint8Array.of(2));
    const before = file.toBytes();
    const limits = { maxMetadataBytes: 2 ** 20 };
    await expect(amendImage(file, { version: 3, limits })).rejects.toMatchObject({
      code: "QCOW2_UNSUPPORTED_FEATURE",
      structure: "snapshot table",
    });
    expect(Buffer.compare(file.toBytes(), before)).toBe(0);
  });

  it("does not make version 3 of an image whose reserved bits would mean something then", async () => {
    const file = await makeDisk({ version: 2 }, [
      { kind: "write", offset: 0, length: 9, value: 1 },
    ]);
    const { l1Table } = await inspectImage(file);
    const view = new DataView(file.toBytes().buffer);
    const l2 = view.getUint32(l1Table.offset + 4);
    await file.write(l2 + 7, Uint8Array.of(1));
    const before = file.toBytes();
    await expect(amendImage(file, { version: 3 })).rejects.toMatchObject({ kind: "corrupt" });
    expect(Buffer.compare(file.toBytes(), before)).toBe(0);
  });
});

const changes: readonly (readonly [string, Partial<CreateImageOptions>, AmendImageOptions])[] = [
  ["to version 2 on a base", onBase, { version: 2 }],
  ["to version 2 alone", {}, { version: 2 }],
  ["to version 3", { version: 2, ...onBase }, { version: 3, hasLazyRefcounts: true }],
  ["to refcounts of 1 bit", onBase, { refcountBits: 1 }],
  ["to version 3 and refcounts of 64 bits", { version: 2 }, { version: 3, refcountBits: 64 }],
];

describe.each(changes)("amendImage of an image %s", (_, made, options) => {
  it("keeps what the disk reads as in any crash", async () => {
    const start = (await makeDisk(made, steps)).toBytes();
    const before = await contentOf(new MemoryFile(start));
    const recorded = recordedFiles({ disk: start });
    await amendImage(recorded.files["disk"] as RandomAccess, options);
    for (const crashed of recorded.crashes()) {
      const file = crashed["disk"] as MemoryFile;
      await checkStructure(file);
      expect(Buffer.compare(await contentOf(file), before)).toBe(0);
    }
  });

  it("loses nothing when the storage fails once, whichever call it is, and can be done again", async () => {
    const start = (await makeDisk(made, steps)).toBytes();
    const before = await contentOf(new MemoryFile(start));
    for (let at = 1; ; at++) {
      const file = new MemoryFile(start);
      const failer = new Failer(at);
      const failure = await amendImage(failer.wrap(file), options).catch((error: unknown) => error);
      await checkStructure(file);
      expect(Buffer.compare(await contentOf(file), before)).toBe(0);
      if (failer.failed === undefined) break;
      expect(failure).toBeInstanceOf(Qcow2Error);
      expect(failure).toMatchObject({ kind: "io" });
      await amendImage(file, options);
      expect(await inspectImage(file)).toMatchObject({ version: options.version ?? 3 });
      expect(Buffer.compare(await contentOf(file), before)).toBe(0);
    }
  });
});
