import { MemoryFile } from "@box/io";
import {
  checkStructure,
  createImage,
  inspectImage,
  openImage,
  Qcow2Error,
  type RebaseImageOptions,
  rebaseImage,
} from "@box/qcow2";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { serializeExtensions } from "../../src/extensions/serialize.ts";
import { diskSteps, layouts, runStep } from "../support/disk-script.ts";
import { Failer, memoryChain, recordedFiles } from "../support/qcow2-files.ts";

const size = 20 * 4096 + 700;
const raw = (name: string) => ({ name, format: "raw" });

/** An old and a new base that differ here and there, in data and in zeros. */
function bases(): { old: Uint8Array; new: Uint8Array } {
  const old = new Uint8Array(size - 9000).map((_, at) => (at >> 12) % 3);
  const other = new Uint8Array(size - 5000).map((_, at) => (at >> 12) % 4);
  return { old, new: other };
}

async function overlayOn(
  backing: { name: string; format: string } | undefined,
  layout: string,
  steps: Parameters<typeof runStep>[1][] = [],
): Promise<MemoryFile> {
  const file = new MemoryFile();
  const options = { virtualSizeBytes: size, ...layouts[layout], ...(backing && { backing }) };
  await createImage(file, options);
  const chain = memoryChain({ old: new MemoryFile(bases().old) });
  const image = await openImage(file, { mode: "rw", backing: chain });
  for (const step of steps) await runStep(image, step);
  await image.close();
  return file;
}

async function contentOf(file: MemoryFile, files = chainFiles()): Promise<Uint8Array> {
  const image = await openImage(file, { backing: memoryChain(files) });
  return image.read(0, size);
}

function chainFiles(): Record<string, MemoryFile> {
  const { old, new: other } = bases();
  return { old: new MemoryFile(old), new: new MemoryFile(other) };
}

describe("rebaseImage", () => {
  const names = [
    "clusters of 512 and refcounts of 1 bit",
    "clusters of 4 KiB and refcounts of 8 bits",
    "version 2",
    "extended L2 entries",
    "clusters of 64 KiB",
  ];
  it.for(names)("keeps what the disk reads as: %s", async (layout) => {
    const target = fc.constantFrom(raw("new"), null);
    const from = fc.constantFrom(raw("old"), undefined);
    await fc.assert(
      fc.asyncProperty(
        diskSteps(size, 4096, 5),
        from,
        target,
        async (steps, backing, newBacking) => {
          const file = await overlayOn(backing, layout, steps);
          const before = await contentOf(file);
          await rebaseImage(file, { newBacking, backing: memoryChain(chainFiles()) });
          expect(Buffer.compare(await contentOf(file), before)).toBe(0);
          expect((await inspectImage(file)).backing?.name).toBe(newBacking?.name);
          expect(await checkStructure(file)).toMatchObject({ leaks: 0 });
        },
      ),
      { numRuns: 25 },
    );
  });

  it("stores only clusters that differ", async () => {
    const file = await overlayOn(raw("old"), "clusters of 4 KiB and refcounts of 8 bits");
    const files = chainFiles();
    const same = { ...files, new: files["old"] as MemoryFile };
    const options = { newBacking: raw("new"), backing: memoryChain(same) };
    expect(await rebaseImage(file, options)).toEqual({ copiedBytes: 0 });
    const { old } = bases();
    old[5 * 4096 + 9] = 77;
    const changed = { new: new MemoryFile(old), old: files["old"] as MemoryFile };
    const back = { newBacking: raw("old"), backing: memoryChain(changed) };
    expect(await rebaseImage(file, back)).toEqual({ copiedBytes: 4096 });
  });

  it("changes only the name and the format when it is unsafe, and opens nothing", async () => {
    const file = await overlayOn(raw("old"), "clusters of 64 KiB");
    const before = file.toBytes();
    const options: RebaseImageOptions = {
      newBacking: { name: "a/very/long/name.qcow2", format: "qcow2" },
      isUnsafe: true,
    };
    expect(await rebaseImage(file, options)).toEqual({ copiedBytes: 0 });
    expect((await inspectImage(file)).backing).toMatchObject(options.newBacking as object);
    expect(Buffer.compare(file.toBytes().subarray(65536), before.subarray(65536))).toBe(0);
    await rebaseImage(file, { newBacking: raw("old"), isUnsafe: true });
    expect(Buffer.compare(file.toBytes(), before)).toBe(0);
    await rebaseImage(file, { newBacking: null, isUnsafe: true });
    const { backing, features } = await inspectImage(file);
    expect(backing).toBeUndefined();
    expect(features.names.length).toBeGreaterThan(5);
  });

  it("keeps fields and extensions that it does not know, and clears autoclear bits that it does not", async () => {
    const bytes = (
      await overlayOn(undefined, "clusters of 4 KiB and refcounts of 8 bits")
    ).toBytes();
    const view = new DataView(bytes.buffer);
    view.setUint32(100, 120);
    bytes.fill(0, 112, 1000);
    bytes.set([1, 2, 3, 4, 5, 6, 7, 8], 112);
    const extensions = [
      { type: 0x12345678, data: Uint8Array.of(9, 8, 7) },
      { type: 0x87654321, data: new Uint8Array(3000).fill(5) },
    ];
    bytes.set(serializeExtensions(extensions), 120);
    view.setBigUint64(80, 1n << 40n);
    view.setBigUint64(88, 1n << 50n);
    const file = new MemoryFile(bytes);
    await rebaseImage(file, { newBacking: raw("x".repeat(700)), isUnsafe: true });
    const info = await inspectImage(file);
    expect(info.backing?.nameBytes.byteLength).toBe(700);
    expect(info.extensions.slice(1).map(({ type, data }) => ({ type, data }))).toEqual(extensions);
    expect(info.features).toMatchObject({ compatible: 1n << 40n, autoclear: 0n });
    expect([...file.toBytes().subarray(112, 120)]).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    const tooLong = { newBacking: raw("x".repeat(1000)), isUnsafe: true };
    const before = file.toBytes();
    await expect(rebaseImage(file, tooLong)).rejects.toMatchObject({
      code: "QCOW2_INVALID_ARGUMENT",
    });
    expect(Buffer.compare(file.toBytes(), before)).toBe(0);
  });

  it("refuses names that cannot be stored, images that may not be written, and loops", async () => {
    const file = await overlayOn(raw("old"), "clusters of 64 KiB");
    const before = file.toBytes();
    const files: Record<string, MemoryFile> = { ...chainFiles(), self: file };
    const refused = async (options: Partial<RebaseImageOptions>, code: string) => {
      const given = { newBacking: raw("new"), backing: memoryChain(files), ...options };
      await expect(rebaseImage(file, given)).rejects.toMatchObject({ code });
      expect(Buffer.compare(file.toBytes(), before)).toBe(0);
    };
    await refused({ newBacking: raw("x".repeat(1024)) }, "QCOW2_INVALID_ARGUMENT");
    await refused({ newBacking: raw("") }, "QCOW2_INVALID_ARGUMENT");
    await refused({ newBacking: raw("a\0b"), isUnsafe: true }, "QCOW2_INVALID_ARGUMENT");
    await refused(
      { newBacking: { name: "new", format: "x".repeat(16) } },
      "QCOW2_INVALID_ARGUMENT",
    );
    await refused({ newBacking: raw("absent") }, "QCOW2_BACKING_DENIED");
    await refused({ newBacking: { name: "self", format: "qcow2" } }, "QCOW2_BACKING_CYCLE");
    await refused(
      { newBacking: { name: "new", format: "vmdk" } },
      "QCOW2_UNSUPPORTED_BACKING_FORMAT",
    );
    await refused({ signal: AbortSignal.abort() }, "QCOW2_ABORTED");
    const dirty = new MemoryFile(before);
    await dirty.write(79, Uint8Array.of(1));
    const unsafe = { newBacking: null, isUnsafe: true };
    await expect(rebaseImage(dirty, unsafe)).rejects.toMatchObject({ code: "QCOW2_DIRTY" });
    const rawData = new MemoryFile();
    const dataFile = { name: "d", isRaw: true };
    await createImage(rawData, { virtualSizeBytes: 512, dataFile });
    const onBase = { newBacking: raw("old"), isUnsafe: true };
    await expect(rebaseImage(rawData, onBase)).rejects.toMatchObject({
      code: "QCOW2_INVALID_ARGUMENT",
    });
  });
});

const steps = [
  { kind: "write", offset: 5000, length: 9000, value: 7 },
  { kind: "writeZeroes", offset: 30_000, length: 20_000, value: 1 },
] as const;

describe.each(["clusters of 4 KiB and refcounts of 8 bits", "version 2", "extended L2 entries"])(
  "rebaseImage of an image with %s",
  (layout) => {
    it("leaves the old or the new backing file and the same content after any crash", async () => {
      const start = (await overlayOn(raw("old"), layout, [...steps])).toBytes();
      const before = await contentOf(new MemoryFile(start));
      const recorded = recordedFiles({ top: start });
      const top = recorded.files["top"] as MemoryFile;
      await rebaseImage(top, { newBacking: raw("new"), backing: memoryChain(chainFiles()) });
      const seen = new Set<string | undefined>();
      for (const crashed of recorded.crashes()) {
        const file = crashed["top"] as MemoryFile;
        await checkStructure(file);
        expect(Buffer.compare(await contentOf(file), before)).toBe(0);
        seen.add((await inspectImage(file)).backing?.name);
      }
      expect([...seen]).toEqual(["old", "new"]);
    });

    it("loses nothing when the storage fails once, whichever call it is", async () => {
      const start = (await overlayOn(raw("old"), layout, [...steps])).toBytes();
      const before = await contentOf(new MemoryFile(start));
      for (let at = 1; ; at++) {
        const top = new MemoryFile(start);
        const failer = new Failer(at);
        const files = Object.fromEntries(
          Object.entries(chainFiles()).map(([name, file]) => [name, failer.wrap(file)]),
        );
        const options = { newBacking: raw("new"), backing: memoryChain(files) };
        const failure = await rebaseImage(failer.wrap(top), options).catch(
          (error: unknown) => error,
        );
        await checkStructure(top);
        expect(Buffer.compare(await contentOf(top), before)).toBe(0);
        if (failer.failed === undefined) break;
        expect(failure).toBeInstanceOf(Qcow2Error);
        expect(failure).toMatchObject({ kind: "io" });
      }
    });
  },
);
