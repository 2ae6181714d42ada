import { MemoryFile, type RandomAccess } from "@box/io";
import {
  type CommitImageOptions,
  checkStructure,
  commitImage,
  createImage,
  openImage,
  Qcow2Error,
} from "@box/qcow2";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { diskSteps, layouts, runStep } from "../support/disk-script.ts";
import { Failer, memoryChain, recordedFiles } from "../support/qcow2-files.ts";

type Steps = readonly Parameters<typeof runStep>[1][];
type Files = Readonly<Record<"top" | "base" | "deep", Uint8Array>>;

const deepSize = 9 * 4096;

/** A raw file below a base (or a raw base) below an overlay. */
async function makeChain(plan: {
  readonly layout: string;
  readonly baseFormat: "raw" | "qcow2";
  readonly sizes: readonly [base: number, top: number];
  readonly steps: Steps;
}): Promise<Files> {
  const [baseSize, topSize] = plan.sizes;
  const deep = new MemoryFile(new Uint8Array(deepSize).fill(0xdd));
  let base = new MemoryFile(new Uint8Array(baseSize).fill(0xbb));
  if (plan.baseFormat === "qcow2") {
    base = new MemoryFile();
    const backing = { name: "deep", format: "raw" };
    const options = { virtualSizeBytes: baseSize, ...layouts[plan.layout], backing };
    await createImage(base, options);
    const image = await openImage(base, { mode: "rw", backing: memoryChain({ deep }) });
    await image.write(
      3 * 4096 + 5,
      new Uint8Array(Math.min(9000, baseSize - 3 * 4096 - 5)).fill(0xb0),
    );
    await image.close();
  }
  const top = new MemoryFile();
  const backing = { name: "base", format: plan.baseFormat };
  await createImage(top, { virtualSizeBytes: topSize, ...layouts[plan.layout], backing });
  const image = await openImage(top, { mode: "rw", backing: memoryChain({ base, deep }) });
  for (const step of plan.steps) await runStep(image, step);
  await image.close();
  return { top: top.toBytes(), base: base.toBytes(), deep: deep.toBytes() };
}

function filesOf(bytes: Files): Record<"top" | "base" | "deep", MemoryFile> {
  const { top, base, deep } = bytes;
  return { top: new MemoryFile(top), base: new MemoryFile(base), deep: new MemoryFile(deep) };
}

function commitOptions(files: Readonly<Record<string, RandomAccess>>): CommitImageOptions {
  const { base, deep } = files as { base: RandomAccess; deep: RandomAccess };
  return { target: memoryChain({ base }), backing: memoryChain({ deep }) };
}

async function contentOf(files: Readonly<Record<string, RandomAccess>>): Promise<Uint8Array> {
  const { top, base, deep } = files as ReturnType<typeof filesOf>;
  const image = await openImage(top, { backing: memoryChain({ base, deep }) });
  return image.read(0, image.sizeBytes);
}

async function requireSound({ top, base }: Readonly<Record<string, RandomAccess>>, isRaw: boolean) {
  const checked = [await checkStructure(top as RandomAccess)];
  if (!isRaw) checked.push(await checkStructure(base as RandomAccess));
  return checked.map(({ leaks }) => leaks);
}

const names = [
  "clusters of 512 and refcounts of 1 bit",
  "clusters of 4 KiB and refcounts of 8 bits",
  "version 2",
  "extended L2 entries",
  "clusters of 64 KiB",
];
const size = 20 * 4096 + 700;

describe("commitImage", () => {
  it.for(names)("keeps what the disk reads as and empties it: %s", async (layout) => {
    const sizes = fc.constantFrom([size, size], [size, size + 70_000], [size + 70_000, size]);
    const format = fc.constantFrom("raw" as const, "qcow2" as const);
    await fc.assert(
      fc.asyncProperty(
        diskSteps(size, 4096, 6),
        sizes,
        format,
        async (steps, sized, baseFormat) => {
          const plan = { layout, baseFormat, sizes: sized as [number, number], steps };
          const files = filesOf(await makeChain(plan));
          const before = await contentOf(files);
          const report = await commitImage(files.top, commitOptions(files));
          expect(report.backingSizeBytes).toBe(Math.max(...sized));
          expect(Buffer.compare(await contentOf(files), before)).toBe(0);
          expect(await requireSound(files, baseFormat === "raw")).not.toContain(1);
          const again = await commitImage(files.top, commitOptions(files));
          expect(again.committedBytes).toBe(0);
          const fresh = new MemoryFile();
          const options = { virtualSizeBytes: before.byteLength, ...layouts[layout] };
          await createImage(fresh, options);
          expect(await files.top.size()).toBeLessThanOrEqual((await fresh.size()) + 3 * 65536);
        },
      ),
      { numRuns: 25 },
    );
  });

  it("writes no file but the image and its backing file, and not the image with keepsData", async () => {
    const steps: Steps = [{ kind: "write", offset: 5000, length: 9000, value: 1 }];
    const plan = { layout: "version 2", baseFormat: "qcow2", sizes: [size, size], steps } as const;
    const bytes = await makeChain(plan);
    const { files, log } = recordedFiles(bytes);
    const before = await contentOf(files);
    await commitImage(files["top"] as RandomAccess, { ...commitOptions(files), keepsData: true });
    expect(new Set(log.map(({ file }) => file))).toEqual(new Set(["base"]));
    const { base, deep } = files as { base: RandomAccess; deep: RandomAccess };
    const alone = await openImage(base, { backing: memoryChain({ deep }) });
    expect(Buffer.compare(await alone.read(0, size), before)).toBe(0);
    await commitImage(files["top"] as RandomAccess, commitOptions(files));
    expect(new Set(log.map(({ file }) => file))).toEqual(new Set(["base", "top"]));
  });

  it("asks the target's resolver for the backing file to be written, and the other for what is below", async () => {
    const plan = {
      layout: "version 2",
      baseFormat: "qcow2",
      sizes: [size, size],
      steps: [],
    } as const;
    const files = filesOf(await makeChain(plan));
    const asked: string[] = [];
    await commitImage(files.top, {
      target: async ({ name, mode, depth }) => {
        asked.push(`target ${name} ${mode} ${depth}`);
        return { source: files.base };
      },
      backing: async ({ name, mode, depth }) => {
        asked.push(`backing ${name} ${mode} ${depth}`);
        return { source: files.deep };
      },
    });
    expect(asked).toEqual(["target base rw 1", "backing deep r 2"]);
  });

  it("refuses what it may not write, and changes nothing then", async () => {
    const steps: Steps = [{ kind: "write", offset: 5000, length: 9000, value: 1 }];
    const plan = { layout: "version 2", baseFormat: "qcow2", sizes: [size, size], steps } as const;
    const bytes = await makeChain(plan);
    const refused = async (code: string, change: Partial<CommitImageOptions>, top = bytes.top) => {
      const { files, log } = recordedFiles({ ...bytes, top });
      const options = { ...commitOptions(files), ...change };
      const failure = commitImage(files["top"] as RandomAccess, options);
      await expect(failure).rejects.toMatchObject({ code });
      expect(log.filter(({ kind }) => kind === "write")).toEqual([]);
    };
    await refused("QCOW2_BACKING_DENIED", { target: async () => undefined });
    await refused("QCOW2_BACKING_DENIED", { backing: async () => undefined });
    const { write: _, ...readOnly } = recordedFiles(bytes).files["base"] as RandomAccess;
    await refused("QCOW2_READ_ONLY", { target: memoryChain({ base: readOnly }) });
    await refused("QCOW2_ABORTED", { signal: AbortSignal.abort() });
    await refused("QCOW2_CHAIN_TOO_DEEP", { limits: { maxChainDepth: 0 } });
    const v3 = await makeChain({ ...plan, layout: "clusters of 64 KiB" });
    const dirty = v3.base.slice();
    dirty[79] = 1;
    const dirtyBase = memoryChain({ base: new MemoryFile(dirty) });
    await refused("QCOW2_DIRTY", { target: dirtyBase });
    const alone = new MemoryFile();
    await createImage(alone, { virtualSizeBytes: size });
    await refused("QCOW2_INVALID_ARGUMENT", {}, alone.toBytes());
  });

  it.for(["raw", "qcow2"] as const)(
    "refuses an image that is its own %s backing file",
    async (format) => {
      const file = new MemoryFile();
      await createImage(file, { virtualSizeBytes: 2 ** 20, backing: { name: "self", format } });
      const before = file.toBytes();
      const failure = commitImage(file, { target: memoryChain({ self: file }) });
      await expect(failure).rejects.toMatchObject({ code: "QCOW2_BACKING_CYCLE" });
      expect(Buffer.compare(file.toBytes(), before)).toBe(0);
    },
  );

  it("zeroes ranges of a raw backing file that has no holes by writing", async () => {
    const steps: Steps = [{ kind: "writeZeroes", offset: 0, length: size, value: 1 }];
    const plan = {
      layout: "clusters of 64 KiB",
      baseFormat: "raw",
      sizes: [size, size + 9],
      steps,
    } as const;
    const { files } = recordedFiles(await makeChain(plan));
    const { truncate: _, ...base } = files["base"] as RandomAccess;
    const report = await commitImage(files["top"] as RandomAccess, {
      target: memoryChain({ base }),
    });
    expect(report).toEqual({ committedBytes: size + 9, backingSizeBytes: size + 9 });
    const found = await base.read(0, size + 9);
    expect(found.byteLength).toBe(size + 9);
    expect(found.every((byte) => byte === 0)).toBe(true);
  });
});

const steps: Steps = [
  { kind: "write", offset: 5000, length: 9000, value: 7 },
  { kind: "writeZeroes", offset: 30_000, length: 20_000, value: 1 },
  { kind: "write", offset: size - 300, length: 900, value: 9 },
];

describe.each([
  ["clusters of 4 KiB and refcounts of 8 bits", "qcow2"],
  ["clusters of 512 and refcounts of 64 bits", "raw"],
  ["version 2", "qcow2"],
  ["extended L2 entries", "qcow2"],
] as const)("commitImage of an image with %s on a %s file", (layout, baseFormat) => {
  const plan = { layout, baseFormat, sizes: [size, size + 5000], steps } as const;

  it("changes nothing of what the disk reads as in any crash", async () => {
    const start = await makeChain(plan);
    const before = await contentOf(filesOf(start));
    const recorded = recordedFiles({ ...start });
    await commitImage(recorded.files["top"] as RandomAccess, commitOptions(recorded.files));
    for (const crashed of recorded.crashes()) {
      await requireSound(crashed, baseFormat === "raw");
      expect(Buffer.compare(await contentOf(crashed), before)).toBe(0);
    }
    expect(await requireSound(recorded.finished(), baseFormat === "raw")).not.toContain(1);
  });

  it("loses nothing when the storage fails once, whichever call it is, and can be done again", async () => {
    const start = await makeChain(plan);
    const before = await contentOf(filesOf(start));
    for (let at = 1; ; at++) {
      const files = filesOf(start);
      const failer = new Failer(at);
      const failing = {
        top: failer.wrap(files.top),
        base: failer.wrap(files.base),
        deep: failer.wrap(files.deep),
      };
      const failure = await commitImage(failing.top, commitOptions(failing)).catch(
        (error: unknown) => error,
      );
      await requireSound(files, baseFormat === "raw");
      expect(Buffer.compare(await contentOf(files), before)).toBe(0);
      if (failer.failed === undefined) break;
      expect(failure).toBeInstanceOf(Qcow2Error);
      expect(failure).toMatchObject({ kind: "io" });
      await commitImage(files.top, commitOptions(files));
      expect(Buffer.compare(await contentOf(files), before)).toBe(0);
    }
  });
});
