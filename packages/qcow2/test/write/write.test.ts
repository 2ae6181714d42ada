import { MemoryFile, observeFile } from "@box/io";
import { allowList, checkStructure, createImage, inspectImage, openImage } from "@box/qcow2";
import { fixtures } from "@box/qcow2/fixtures";
import { describe, expect, it } from "vitest";

const size = 2 ** 20;

async function freshImage(options = {}): Promise<MemoryFile> {
  const file = new MemoryFile();
  await createImage(file, { virtualSizeBytes: size, ...options });
  return file;
}

function fixtureBytes(name: string): Uint8Array {
  const found = fixtures.find((fixture) => fixture.name === name);
  return found?.build() as Uint8Array;
}

describe("openImage with mode rw", () => {
  it("writes nothing before the first change, not even when it is closed", async () => {
    const file = await freshImage();
    const kinds: string[] = [];
    const watched = observeFile(file, ({ kind }) => void kinds.push(kind));
    const image = await openImage(watched, { mode: "rw" });
    await image.read(0, 4096);
    await image.flush();
    await image.close();
    expect(new Set(kinds)).toEqual(new Set(["size", "read"]));
  });

  it("refuses a dirty image without touching it", async () => {
    const bytes = fixtureBytes("refused/write-dirty");
    const file = new MemoryFile(bytes);
    await expect(openImage(file, { mode: "rw" })).rejects.toMatchObject({ kind: "denied" });
    const backing = allowList([{ name: "missing-base.raw", open: () => ({ source: file }) }]);
    await expect(openImage(file, { mode: "rw", backing })).rejects.toMatchObject({
      code: "QCOW2_DIRTY",
    });
    expect(Buffer.compare(file.toBytes(), bytes)).toBe(0);
  });

  it("refuses a file that cannot be written", async () => {
    const file = await freshImage();
    const fixed = { size: () => file.size(), read: file.read.bind(file) };
    await expect(openImage(fixed, { mode: "rw" })).rejects.toMatchObject({
      code: "QCOW2_READ_ONLY",
    });
  });

  it("clears autoclear bits with the first write and not before", async () => {
    const file = await freshImage();
    const mark = new Uint8Array(8).fill(0);
    mark.set([0x80, 0, 0, 0, 0, 0, 0, 1]);
    await file.write(88, mark);
    const image = await openImage(file, { mode: "rw" });
    expect((await inspectImage(file)).features.autoclear).toBe((1n << 63n) | 1n);
    await image.write(0, Uint8Array.of(1));
    expect((await inspectImage(file)).features.autoclear).toBe(0n);
    await image.close();
  });
});

describe("an image that is open for reading", () => {
  it("refuses every change", async () => {
    const image = await openImage(await freshImage());
    for (const change of [
      image.write(0, Uint8Array.of(1)),
      image.writeZeroes(0, 1),
      image.discard(0, 1),
    ]) {
      await expect(change).rejects.toMatchObject({ code: "QCOW2_READ_ONLY" });
    }
  });
});

describe("Qcow2Image.write", () => {
  it("refuses bytes past the end of the disk and writes none of them", async () => {
    const image = await openImage(await freshImage(), { mode: "rw" });
    await expect(image.write(size - 1, new Uint8Array(2))).rejects.toMatchObject({
      code: "QCOW2_INVALID_ARGUMENT",
    });
    expect(await image.read(size - 1, 1)).toEqual(Uint8Array.of(0));
  });

  it("marks an image corrupt when it would hit a table, and writes no more", async () => {
    const file = new MemoryFile(fixtureBytes("corrupt/write-over-l2"));
    const base = { source: new MemoryFile() };
    const backing = allowList([{ name: "missing-base.raw", open: () => base }]);
    const image = await openImage(file, { mode: "rw", backing });
    await expect(image.write(0, Uint8Array.of(1))).rejects.toMatchObject({ code: "QCOW2_OVERLAP" });
    const before = file.toBytes();
    await expect(image.write(65536, Uint8Array.of(1))).rejects.toMatchObject({
      code: "QCOW2_OVERLAP",
    });
    await expect(image.flush()).rejects.toMatchObject({ code: "QCOW2_OVERLAP" });
    await image.close();
    expect(Buffer.compare(file.toBytes(), before)).toBe(0);
    expect((await inspectImage(file)).isMarkedCorrupt).toBe(true);
  });

  it("can be called many times at once", async () => {
    const file = await freshImage({ clusterSizeBytes: 4096 });
    const image = await openImage(file, { mode: "rw" });
    const places = Array.from({ length: 200 }, (_, index) => (index * 7919 * 13) % (size - 100));
    await Promise.all(places.map((at, index) => image.write(at, new Uint8Array(50).fill(index))));
    const reads = await Promise.all(places.map((at) => image.read(at, 1)));
    expect(reads.length).toBe(200);
    await image.close();
    expect(await checkStructure(file)).toMatchObject({ leaks: 0 });
  });

  it("grows the refcount table, and the image stays without leaks", async () => {
    const file = new MemoryFile();
    const options = { virtualSizeBytes: 2 ** 24, clusterSizeBytes: 512, refcountBits: 64 };
    await createImage(file, options);
    const before = (await inspectImage(file)).refcountTable;
    const image = await openImage(file, { mode: "rw" });
    for (let at = 0; at < 2 ** 24; at += 2 ** 20) {
      await image.write(at, new Uint8Array(2 ** 20).fill(at / 2 ** 20 + 1));
    }
    await image.close();
    const { refcountTable } = await inspectImage(file);
    expect(refcountTable.entries).toBeGreaterThan(before.entries);
    expect(await checkStructure(file)).toMatchObject({ leaks: 0 });
  });

  it("reuses the space of what was discarded", async () => {
    const file = await freshImage();
    const image = await openImage(file, { mode: "rw" });
    for (let round = 0; round < 20; round++) {
      await image.write(0, new Uint8Array(size).fill(round + 1));
      await image.discard(0, size);
      await image.flush();
    }
    await image.close();
    expect(await file.size()).toBeLessThan(2.5 * size);
    expect(await checkStructure(file)).toMatchObject({ leaks: 0 });
  });

  it("stops when it is aborted", async () => {
    const abort = new AbortController();
    const image = await openImage(await freshImage(), { mode: "rw", signal: abort.signal });
    abort.abort();
    await expect(image.write(0, Uint8Array.of(1))).rejects.toMatchObject({ code: "QCOW2_ABORTED" });
  });
});
