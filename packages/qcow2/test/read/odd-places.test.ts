import { MemoryFile, observeFile, type RandomAccess } from "@box/io";
import { convertImage, createImage, type Extent, openImage, type Qcow2Image } from "@box/qcow2";
import { describe, expect, it } from "vitest";
import { places } from "../../fixtures/build.ts";
import { standalone } from "../../fixtures/streams.ts";
import { nodeCodec } from "../../src/node/node-codec.ts";

const clusterBytes = 65536;

async function extentsOf(image: Qcow2Image): Promise<Extent[]> {
  const found: Extent[] = [];
  for await (const extent of image.extents()) found.push(extent);
  return found;
}

async function overlayOn(format: string, base: RandomAccess): Promise<Qcow2Image> {
  const top = new MemoryFile();
  await createImage(top, { virtualSizeBytes: 4 * clusterBytes, backing: { name: "b", format } });
  return openImage(top, { backing: async () => ({ source: base }) });
}

describe("a buffer that has other bytes in it", () => {
  it.for(["raw", "qcow2"])("is zeros where the backing file has ended: %s", async (format) => {
    const base = new MemoryFile(new Uint8Array(format === "raw" ? 1000 : 0).fill(3));
    if (format === "qcow2") {
      await createImage(base, { virtualSizeBytes: 1000 });
      await using image = await openImage(base, { mode: "rw" });
      await image.write(0, new Uint8Array(1000).fill(3));
    }
    await using image = await overlayOn(format, base);
    const into = new Uint8Array(3000).fill(9);
    await image.read(0, 3000, into);
    expect(into).toEqual(new Uint8Array(3000).fill(3, 0, 1000));
  });

  it("is zeros where the file ends in its last cluster", async () => {
    const file = new MemoryFile(standalone(() => {}).slice(0, places.data + 700));
    await using image = await openImage(file);
    const into = new Uint8Array(1000).fill(9);
    await image.read(0, 1000, into);
    expect(into).toEqual(new Uint8Array(1000).fill(0xab, 0, 700));
  });
});

describe("extents", () => {
  it("tell zeros that have a cluster from those that follow and have none", async () => {
    const bytes = standalone((view) => {
      view.setBigUint64(places.l2, (1n << 63n) | BigInt(places.data) | 1n);
      view.setBigUint64(places.l2 + 8, 1n);
    });
    await using image = await openImage(new MemoryFile(bytes));
    expect((await extentsOf(image)).slice(0, 2)).toEqual([
      { start: 0, length: clusterBytes, depth: 0, kind: "zero", hostOffset: places.data },
      { start: clusterBytes, length: clusterBytes, depth: 0, kind: "zero" },
    ]);
  });

  it("tell the same kind in two images apart", async () => {
    const base = new MemoryFile();
    await createImage(base, { virtualSizeBytes: 4 * clusterBytes });
    const top = new MemoryFile();
    const backing = { name: "b", format: "qcow2" };
    await createImage(top, { virtualSizeBytes: 4 * clusterBytes, backing });
    const options = { mode: "rw", backing: async () => ({ source: base }) } as const;
    {
      await using lower = await openImage(base, { mode: "rw" });
      await lower.writeZeroes(0, clusterBytes);
      // Makes an L2 table, so that zeros are noted in it.
      await lower.write(3 * clusterBytes, Uint8Array.of(1));
      await lower.writeZeroes(0, clusterBytes);
      await using upper = await openImage(top, options);
      await upper.writeZeroes(clusterBytes, clusterBytes);
    }
    await using image = await openImage(top, options);
    expect(await extentsOf(image)).toMatchObject([
      { start: 0, depth: 1, kind: "zero" },
      { start: clusterBytes, depth: 0, kind: "zero" },
      { start: 2 * clusterBytes, kind: "unallocated" },
      { start: 3 * clusterBytes, depth: 1, kind: "data" },
    ]);
  });

  it("that are not asked for do not fail, although their tables cannot be read", async () => {
    const bytes = standalone((view) => {
      view.setBigUint64(places.l1 + 8, BigInt(2 ** 40));
    });
    await using image = await openImage(new MemoryFile(bytes));
    // The L1 table is in memory then.
    await expect(image.read(2 ** 29, 1)).rejects.toMatchObject({ code: "QCOW2_OUT_OF_FILE" });
    for await (const { start } of image.extents()) {
      expect(start).toBe(0);
      break;
    }
    // A rejection that nobody handles would end the process.
    await new Promise((resolve) => setImmediate(resolve));
  });
});

/** A disk that compresses a little, 64 KiB at a time. */
async function compressedImage(clusters: number): Promise<{ disk: Uint8Array; file: MemoryFile }> {
  let state = 1;
  const disk = new Uint8Array(clusters * clusterBytes).map((_, at) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return at % 8 === 0 ? 0 : state >>> 24;
  });
  const file = new MemoryFile();
  const options = { format: "qcow2", compressed: "zstd", codec: nodeCodec } as const;
  await convertImage(new MemoryFile(disk), file, options);
  return { disk, file };
}

describe("compressed clusters", () => {
  it("are read in any order in which they lie in the file", async () => {
    const { disk, file } = await compressedImage(6);
    const order = [0, 2, 1, 5, 3, 4];
    const bytes = file.toBytes();
    const view = new DataView(bytes.buffer);
    const l1 = Number(view.getBigUint64(40));
    const l2 = Number(view.getBigUint64(l1) & 0xfffffffffffe00n);
    const entries = order.map((index) => view.getBigUint64(l2 + index * 8));
    for (const [index, entry] of entries.entries()) view.setBigUint64(l2 + index * 8, entry);
    await using image = await openImage(new MemoryFile(bytes), { codec: nodeCodec });
    const expected = order.map((index) =>
      disk.subarray(index * clusterBytes, (index + 1) * clusterBytes),
    );
    const found = await image.read(0, disk.byteLength);
    expect(Buffer.compare(found, Buffer.concat(expected))).toBe(0);
  });

  it("are read together, but at most 4 MiB at a time", async () => {
    const { disk, file } = await compressedImage(96);
    const lengths: number[] = [];
    const watched = observeFile(file, ({ kind, length }) => {
      if (kind === "read" && length > clusterBytes) lengths.push(length);
    });
    await using image = await openImage(watched, { codec: nodeCodec });
    const found = await image.read(0, disk.byteLength);
    expect(Buffer.compare(found, disk)).toBe(0);
    expect(lengths).toHaveLength(2);
    expect(Math.max(...lengths)).toBeLessThanOrEqual(2 ** 22);
  });
});
