import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openFile } from "@box/io/node";
import { checkImage, type Qcow2Image } from "@box/qcow2";
import { nodeCodec, openImageFile } from "@box/qcow2/node";
import { describe, expect, it } from "vitest";
import { hasQemuImg, qemuImg, qemuIo, qemuVerdict, temporaryFolder } from "../support/qemu.ts";

const date = new Date("2024-02-29T12:34:56.789Z");

const layouts = [
  "compat=1.1",
  "compat=0.10",
  "cluster_size=512",
  "cluster_size=4k,refcount_bits=2",
  "refcount_bits=4",
  "refcount_bits=8",
  "refcount_bits=32,cluster_size=2M",
  "refcount_bits=64,cluster_size=1k",
  "compression_type=zstd",
  "extended_l2=on",
  "extended_l2=on,cluster_size=16k",
  "lazy_refcounts=on",
];

/** Makes a disk of 1 MiB and a bit, with plain, zero and compressed clusters. */
function makeImage(folder: string, options: string): void {
  qemuImg(folder, "create", "-q", "-f", "qcow2", "-o", options, "i.qcow2", "1049088");
  // Compressed clusters share host clusters, whose uses two bits cannot count twice.
  const first = /refcount_bits=2|2M/.test(options) ? "write -q" : "write -q -c";
  qemuIo(folder, "i.qcow2", `${first} -P 8 0 64k`, "write -q -P 7 256k 200k");
  qemuIo(folder, "i.qcow2", "write -q -z 300k 64k", "write -q -P 6 1M 512");
}

function rawOf(folder: string, ...selection: readonly string[]): Buffer {
  const options = ["-f", "qcow2", ...selection, "-O", "raw"];
  qemuImg(folder, "convert", ...options, "i.qcow2", "out.raw");
  return readFileSync(join(folder, "out.raw"));
}

async function change<Value>(folder: string, run: (image: Qcow2Image) => Promise<Value>) {
  const path = join(folder, "i.qcow2");
  await using image = await openImageFile(path, { mode: "rw", codec: nodeCodec });
  const value = await run(image);
  return value;
}

async function requireClean(folder: string): Promise<void> {
  expect(qemuVerdict(folder, "i.qcow2")).toBe("clean");
  await using file = await openFile(join(folder, "i.qcow2"));
  expect((await checkImage(file)).findings).toEqual([]);
}

function listOf(folder: string): Record<string, unknown>[] {
  return JSON.parse(qemuImg(folder, "info", "--output=json", "i.qcow2")).snapshots ?? [];
}

describe.skipIf(!hasQemuImg)("snapshots that are taken here, as QEMU sees them", () => {
  it.for(layouts)(
    "%s: listed, sound, of the right content, applied and deleted",
    async (options) => {
      using folder = temporaryFolder();
      const { path } = folder;
      makeImage(path, options);
      const first = rawOf(path);
      expect(await change(path, (image) => image.createSnapshot("first", { date }))).toMatchObject({
        id: "1",
        name: "first",
        diskSizeBytes: 1049088n,
      });
      await requireClean(path);
      expect(listOf(path)).toMatchObject([
        {
          id: "1",
          name: "first",
          "date-sec": 1709210096,
          "date-nsec": 789000000,
          "vm-state-size": 0,
        },
      ]);
      await change(path, async (image) => {
        await image.write(10, new Uint8Array(70_000).fill(1));
        await image.writeZeroes(260_000, 50_000);
        await image.createSnapshot("zweiter, später", { date });
        await image.write(500_000, new Uint8Array(1000).fill(2));
      });
      await requireClean(path);
      const now = rawOf(path);
      expect(qemuImg(path, "snapshot", "-l", "i.qcow2")).toMatch(/^2 +zweiter, später/m);
      expect(Buffer.compare(rawOf(path, "-l", "snapshot.id=1"), first)).toBe(0);
      expect(Buffer.compare(rawOf(path), now)).toBe(0);
      // QEMU counts the new references before it forgets the old ones, and 4 are too many for two bits.
      if (options.includes("bits=2")) qemuImg(path, "snapshot", "-d", "zweiter, später", "i.qcow2");
      qemuImg(path, "snapshot", "-a", "first", "i.qcow2");
      await requireClean(path);
      expect(Buffer.compare(rawOf(path), first)).toBe(0);
      qemuIo(path, "i.qcow2", "write -q -P 9 0 100k");
      qemuImg(path, "snapshot", "-d", "first", "i.qcow2");
      if (listOf(path).length > 0) qemuImg(path, "snapshot", "-d", "zweiter, später", "i.qcow2");
      await requireClean(path);
      expect(listOf(path)).toEqual([]);
    },
  );
});

describe.skipIf(!hasQemuImg)("snapshots that QEMU took, changed here", () => {
  it.for(layouts)("%s: applied, written over and deleted", async (options) => {
    using folder = temporaryFolder();
    const { path } = folder;
    makeImage(path, options);
    const first = rawOf(path);
    qemuImg(path, "snapshot", "-c", "first", "i.qcow2");
    qemuIo(path, "i.qcow2", "write -q -P 1 0 300k");
    const second = rawOf(path);
    qemuImg(path, "snapshot", "-c", "second", "i.qcow2");
    qemuIo(path, "i.qcow2", "write -q -P 2 100k 400k");
    await change(path, (image) => image.applySnapshot("first"));
    await requireClean(path);
    expect(Buffer.compare(rawOf(path), first)).toBe(0);
    await change(path, async (image) => {
      await image.write(0, new Uint8Array(150_000).fill(5));
      expect((await (await image.openSnapshot("first")).read(0, 1))[0]).toBe(8);
    });
    await requireClean(path);
    expect(Buffer.compare(rawOf(path, "-l", "snapshot.name=first"), first)).toBe(0);
    await change(path, (image) => image.deleteSnapshot("first"));
    await requireClean(path);
    expect(Buffer.compare(rawOf(path, "-l", "snapshot.name=second"), second)).toBe(0);
    qemuIo(path, "i.qcow2", "write -q -P 3 0 1M");
    await change(path, (image) => image.deleteSnapshot("2"));
    await requireClean(path);
    expect(listOf(path)).toEqual([]);
    expect(
      rawOf(path)
        .subarray(0, 2 ** 20)
        .every((byte) => byte === 3),
    ).toBe(true);
  });

  it("of another size: the disk has that size again", async () => {
    using folder = temporaryFolder();
    const { path } = folder;
    makeImage(path, "cluster_size=512");
    const first = rawOf(path);
    qemuImg(path, "snapshot", "-c", "small", "i.qcow2");
    qemuImg(path, "resize", "-q", "i.qcow2", "40M");
    qemuIo(path, "i.qcow2", "write -q -P 4 39M 64k");
    const large = rawOf(path);
    qemuImg(path, "snapshot", "-c", "large", "i.qcow2");
    for (const [name, expected] of [
      ["small", first],
      ["large", large],
      ["small", first],
    ] as const) {
      await change(path, async (image) => {
        await image.applySnapshot(name);
        expect(image.sizeBytes).toBe(expected.byteLength);
        expect(image.info.virtualSizeBytes).toBe(BigInt(expected.byteLength));
      });
      await requireClean(path);
      expect(Buffer.compare(rawOf(path), expected)).toBe(0);
    }
    await change(path, (image) => image.deleteSnapshot("large"));
    await requireClean(path);
    expect(Buffer.compare(rawOf(path, "-l", "small"), first)).toBe(0);
  });
});

describe.skipIf(!hasQemuImg)("what QEMU refuses", () => {
  it("is refused here too, and nothing is changed", async () => {
    using folder = temporaryFolder();
    const { path } = folder;
    const narrow = ["-o", "refcount_bits=1", "i.qcow2", "1M"];
    qemuImg(path, "create", "-q", "-f", "qcow2", ...narrow);
    qemuIo(path, "i.qcow2", "write -q -P 1 0 64k");
    const before = readFileSync(join(path, "i.qcow2"));
    await expect(
      change(path, (image) => image.createSnapshot("a", { date })),
    ).rejects.toMatchObject({ code: "QCOW2_REFCOUNT_OVERFLOW" });
    expect(Buffer.compare(readFileSync(join(path, "i.qcow2")), before)).toBe(0);
    expect(() => qemuImg(path, "snapshot", "-c", "a", "i.qcow2")).toThrow();
    qemuImg(path, "create", "-q", "-f", "qcow2", "i.qcow2", "1M");
    qemuImg(path, "snapshot", "-c", "a", "i.qcow2");
    qemuImg(path, "bitmap", "--add", "i.qcow2", "b");
    const bytes = readFileSync(join(path, "i.qcow2"));
    await expect(change(path, (image) => image.applySnapshot("a"))).rejects.toMatchObject({
      code: "QCOW2_HAS_BITMAPS",
    });
    expect(Buffer.compare(readFileSync(join(path, "i.qcow2")), bytes)).toBe(0);
    expect(() => qemuImg(path, "snapshot", "-a", "a", "i.qcow2")).toThrow("bitmaps");
    await change(path, (image) => image.createSnapshot("b", { date }));
    await change(path, (image) => image.deleteSnapshot("a"));
    await requireClean(path);
    expect(qemuImg(path, "info", "i.qcow2")).toMatch(/flags:\s+\[0\]: auto\s+name: b/);
  });
});

describe.skipIf(!hasQemuImg)("a snapshot with machine state", () => {
  it("keeps its state when others are taken and deleted", async () => {
    using folder = temporaryFolder();
    const { path } = folder;
    makeImage(path, "cluster_size=4k");
    qemuImg(path, "snapshot", "-c", "a", "i.qcow2");
    const image = readFileSync(join(path, "i.qcow2"));
    const table = Number(image.readBigUInt64BE(64));
    image.writeUInt32BE(123, table + 32);
    image.writeBigUInt64BE(123n, table + 40);
    image.writeBigUInt64BE(42n, table + 56);
    writeFileSync(join(path, "i.qcow2"), image);
    chmodSync(join(path, "i.qcow2"), 0o644);
    await change(path, async (disk) => {
      await disk.createSnapshot("b", { date });
      await disk.deleteSnapshot("b");
    });
    await requireClean(path);
    expect(listOf(path)).toMatchObject([{ name: "a", "vm-state-size": 123, icount: 42 }]);
  });
});
