import { MemoryFile, type RandomAccess } from "@box/io";
import {
  type CommitImageOptions,
  checkImage,
  commitImage,
  createImage,
  type FileResolver,
  openImage,
} from "@box/qcow2";
import { describe, expect, it } from "vitest";
import { allOf } from "../support/all-of.ts";
import { recordedFiles } from "../support/qcow2-files.ts";

const size = 40 * 4096;
const layout = { virtualSizeBytes: size, clusterSizeBytes: 4096 } as const;

/** Hands one file out under any name, and notes its name when it is closed. */
function opener(source: RandomAccess, name: string, closed: string[]): FileResolver {
  const close = async () => void closed.push(name);
  return async () => ({ source: { ...methodsOf(source), close } });
}

function methodsOf(file: RandomAccess): RandomAccess {
  const { write, flush, truncate } = file;
  return {
    size: () => file.size(),
    read: (...args) => file.read(...args),
    ...(write && { write: write.bind(file) }),
    ...(flush && { flush: flush.bind(file) }),
    ...(truncate && { truncate: truncate.bind(file) }),
  };
}

/** An overlay with some data and some zeros on a backing file of a format. */
async function overlayOn(format: string, options = {}): Promise<MemoryFile> {
  const top = new MemoryFile();
  await createImage(top, { ...layout, backing: { name: "base", format }, ...options });
  const base = new MemoryFile(new Uint8Array(size).fill(0xbb));
  const below = async () => ({ source: base, format: "raw" as const });
  await using image = await openImage(top, { mode: "rw", backing: below });
  await image.write(5000, new Uint8Array(9000).fill(7));
  await image.writeZeroes(8 * 4096, 8 * 4096);
  await image.write(30 * 4096, new Uint8Array(4096).fill(9));
  return top;
}

/** A qcow2 base on a raw file. */
async function qcow2Base(options = {}): Promise<MemoryFile> {
  const base = new MemoryFile();
  await createImage(base, { ...layout, ...options });
  return base;
}

describe("commitImage", () => {
  it("closes every file that resolvers opened for it, and not the image", async () => {
    const closed: string[] = [];
    const data = new MemoryFile();
    const top = new MemoryFile();
    const backing = { name: "base", format: "qcow2" };
    await createImage(top, { ...layout, backing, dataFile: { name: "data" } });
    const deep = new MemoryFile(new Uint8Array(size));
    const base = await qcow2Base({ backing: { name: "deep", format: "raw" } });
    await commitImage(Object.assign(top, { close: async () => void closed.push("top") }), {
      target: opener(base, "base", closed),
      backing: opener(deep, "deep", closed),
      dataFile: opener(data, "data", closed),
    });
    expect(closed.toSorted()).toEqual(["base", "data", "deep"]);
  });

  it.for([
    ["vmdk", "QCOW2_UNSUPPORTED_BACKING_FORMAT", "rw"],
    ["raw", "QCOW2_READ_ONLY", "r"],
    ["qcow2", "QCOW2_READ_ONLY", "r"],
  ] as const)(
    "closes a backing file of the format %s that it refuses: %s",
    async ([format, code, access]) => {
      const closed: string[] = [];
      const base = format === "qcow2" ? await qcow2Base() : new MemoryFile(new Uint8Array(size));
      const { write: _, ...readOnly } = methodsOf(base);
      const target = opener(access === "rw" ? base : readOnly, "base", closed);
      const top = await overlayOn(format);
      await expect(commitImage(top, { target })).rejects.toMatchObject({
        code,
        details: { name: "base", depth: 1 },
      });
      expect(closed).toEqual(["base"]);
    },
  );

  it("counts a raw backing file as one below the image", async () => {
    const top = await overlayOn("raw");
    const target = opener(new MemoryFile(new Uint8Array(size)), "base", []);
    const none = commitImage(top, { target, limits: { maxChainDepth: 0 } });
    await expect(none).rejects.toMatchObject({ code: "QCOW2_CHAIN_TOO_DEEP" });
    await commitImage(top, { target, limits: { maxChainDepth: 1 } });
  });

  it("tells the resolver where the backing file is that names what is below", async () => {
    const from: unknown[] = [];
    const base = await qcow2Base({ backing: { name: "deep", format: "raw" } });
    await commitImage(await overlayOn("qcow2"), {
      location: "/a/top",
      target: async ({ fromLocation }) => {
        from.push(fromLocation);
        return { source: base, location: "/b/base" };
      },
      backing: async ({ fromLocation }) => {
        from.push(fromLocation);
        return { source: new MemoryFile(new Uint8Array(size)) };
      },
    });
    expect(from).toEqual(["/a/top", "/b/base"]);
  });

  it("makes a raw backing file exactly as long as the disk where it cannot be cut", async () => {
    const base = new MemoryFile(new Uint8Array(100).fill(1));
    const { truncate: _, ...rest } = methodsOf(base);
    await commitImage(await overlayOn("raw"), { target: async () => ({ source: rest }) });
    expect(await base.size()).toBe(size);
    expect((await base.read(5000, 1))[0]).toBe(7);
  });

  it("does not resize a backing file of the same size, which may not be possible", async () => {
    const base = await qcow2Base({ version: 2 });
    {
      await using image = await openImage(base, { mode: "rw" });
      await image.createSnapshot("one", { date: new Date(0) });
    }
    await commitImage(await overlayOn("qcow2"), { target: async () => ({ source: base }) });
    await using image = await openImage(base);
    expect((await image.read(5000, 1))[0]).toBe(7);
    const larger = await overlayOn("qcow2", { virtualSizeBytes: size + 512 });
    const failure = commitImage(larger, { target: async () => ({ source: base }) });
    await expect(failure).rejects.toMatchObject({ code: "QCOW2_UNSUPPORTED_FEATURE" });
  });

  it.for([{ clusterSizeBytes: 65536 }, { version: 2 as const }])(
    "zeroes parts of clusters, and where a backing file cannot say that a cluster is zero: %o",
    async (options) => {
      const deep = new MemoryFile(new Uint8Array(size).fill(0xdd));
      const backing = async () => ({ source: deep });
      const base = await qcow2Base({ ...options, backing: { name: "deep", format: "raw" } });
      {
        await using image = await openImage(base, { mode: "rw", backing });
        await image.write(0, new Uint8Array(10 * 4096).fill(0xbb));
      }
      const target = async () => ({ source: base });
      await commitImage(await overlayOn("qcow2"), { target, backing });
      await using image = await openImage(base, { backing });
      const found = await image.read(7 * 4096, 10 * 4096);
      const expected = new Uint8Array(10 * 4096);
      expected.fill(0xbb, 0, 4096);
      expected.fill(0xdd, 9 * 4096);
      expect(Buffer.compare(found, expected)).toBe(0);
    },
  );

  it("leaves the image's bitmaps in a state that can be relied on", async () => {
    const top = await overlayOn("raw");
    const base = new MemoryFile(new Uint8Array(size));
    const backing = async () => ({ source: base });
    {
      await using image = await openImage(top, { mode: "rw", backing });
      await image.addBitmap("backup");
    }
    await commitImage(top, { target: backing });
    await using image = await openImage(top, { backing });
    expect(await image.bitmaps()).toMatchObject([{ name: "backup", isInUse: false, isAuto: true }]);
    expect((await checkImage(top)).findings).toEqual([]);
  });

  it("marks what it writes in the bitmaps of the backing file, which can be relied on", async () => {
    const base = await qcow2Base();
    {
      await using image = await openImage(base, { mode: "rw" });
      await image.addBitmap("backup", { granularityBytes: 4096 });
      await image.addBitmap("off", { isEnabled: false });
    }
    const target = async () => ({ source: base });
    await commitImage(await overlayOn("qcow2"), { target });
    await using image = await openImage(base);
    expect((await image.bitmaps()).map(({ isInUse }) => isInUse)).toEqual([false, false]);
    const ranges = [];
    for await (const range of image.dirtyRanges("backup")) ranges.push(range);
    expect(ranges).toEqual([
      { start: 4096, length: 3 * 4096 },
      { start: 8 * 4096, length: 8 * 4096 },
      { start: 30 * 4096, length: 4096 },
    ]);
    expect((await checkImage(base)).findings).toEqual([]);
  });
});

describe("commitImage that fails", () => {
  async function baseWithBitmap(): Promise<MemoryFile> {
    const base = await qcow2Base();
    await using image = await openImage(base, { mode: "rw" });
    await image.addBitmap("backup", { granularityBytes: 4096 });
    return base;
  }

  it("leaves bitmaps of the backing file that can be relied on", async () => {
    const base = await baseWithBitmap();
    const top = await overlayOn("qcow2");
    // The data that was written last is lost.
    await top.truncate((await top.size()) - 4096);
    const target = async () => ({ source: base });
    await expect(commitImage(top, { target })).rejects.toMatchObject({ kind: "corrupt" });
    await using image = await openImage(base);
    expect(await image.bitmaps()).toMatchObject([{ isInUse: false }]);
    expect(await allOf(image.dirtyRanges("backup"))).not.toEqual([]);
  });

  it("does not empty the image when those bitmaps cannot be stored", async () => {
    const base = await baseWithBitmap();
    const top = await overlayOn("qcow2");
    const before = top.toBytes();
    let isFull = false;
    const source: RandomAccess = {
      ...methodsOf(base),
      async write(offset, bytes) {
        if (isFull) throw Object.assign(new Error("ENOSPC"), { code: "ENOSPC" });
        await base.write(offset, bytes);
      },
      // Of the flags that mark the bitmaps as in use, and of the content.
      flush: async () => {
        const image = await openImage(base);
        isFull = (await image.read(30 * 4096, 1))[0] === 9;
      },
    };
    const failure = commitImage(top, { target: async () => ({ source }) });
    await expect(failure).rejects.toMatchObject({ code: "QCOW2_NO_SPACE" });
    expect(top.toBytes()).toEqual(before);
  });
});

describe("commitImage that is aborted", () => {
  it("zeroes no more of the backing file", async () => {
    const { files, log } = recordedFiles({
      base: new Uint8Array(size).fill(0xbb),
      top: (await overlayOn("raw")).toBytes(),
    });
    const controller = new AbortController();
    const failure = commitImage(files["top"] as RandomAccess, {
      target: async () => ({ source: files["base"] as RandomAccess }),
      signal: controller.signal,
      onProgress: ({ doneBytes }) => {
        if (doneBytes === 8 * 4096) controller.abort();
      },
    });
    await expect(failure).rejects.toMatchObject({ code: "QCOW2_ABORTED" });
    const reached = log.flatMap((entry) => (entry.kind === "write" ? [entry.offset] : []));
    expect(Math.max(...reached)).toBeLessThan(8 * 4096);
  });

  it.for([false, true])("fails and does not empty the image, keepsData: %s", async (keepsData) => {
    const top = await overlayOn("raw");
    const before = top.toBytes();
    const controller = new AbortController();
    const options: CommitImageOptions = {
      keepsData,
      target: async () => ({ source: new MemoryFile(new Uint8Array(size)) }),
      signal: controller.signal,
      onProgress: ({ doneBytes }) => {
        if (doneBytes === size) controller.abort();
      },
    };
    await expect(commitImage(top, options)).rejects.toMatchObject({ code: "QCOW2_ABORTED" });
    expect(Buffer.compare(top.toBytes(), before)).toBe(0);
  });
});
