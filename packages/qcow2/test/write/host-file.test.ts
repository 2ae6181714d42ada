import { MemoryFile, type RandomAccess } from "@box/io";
import { describe, expect, it } from "vitest";
import { MemoryBudget } from "../../src/bytes/budget.ts";
import { SourceReader } from "../../src/bytes/source-reader.ts";
import type { Qcow2Error } from "../../src/errors.ts";
import { HostFile } from "../../src/write/host-file.ts";
import { MetadataMap } from "../../src/write/metadata-map.ts";

const clusterSize = 4096;

async function hostOf(changes: Partial<RandomAccess> = {}) {
  const file = new MemoryFile(new Uint8Array(8 * clusterSize));
  const source: RandomAccess = {
    size: () => file.size(),
    read: (...args) => file.read(...args),
    write: (...args) => file.write(...args),
    flush: async () => {},
    truncate: (size) => file.truncate(size),
    ...changes,
  };
  const reader = await SourceReader.open(source);
  const metadata = new MetadataMap(clusterSize, new MemoryBudget(2 ** 20));
  const overlaps: Qcow2Error[] = [];
  const host = new HostFile(reader, metadata, async (error) => void overlaps.push(error));
  return { host, metadata, reader, overlaps, file };
}

const fail = async (): Promise<never> => {
  throw Object.assign(new Error("EIO: i/o error"), { code: "EIO" });
};
const bytes = Uint8Array.of(1, 2, 3);

describe("HostFile", () => {
  it("refuses a write over metadata and every change after it", async () => {
    const { host, metadata, overlaps, file } = await hostOf();
    metadata.claim(clusterSize, clusterSize, "L2 table");
    const before = file.toBytes();
    const error = { code: "QCOW2_OVERLAP", kind: "corrupt" };
    await expect(host.write(clusterSize - 1, bytes, "data cluster")).rejects.toMatchObject(error);
    expect(overlaps).toMatchObject([error]);
    expect(host.hasFailed).toBe(true);
    await expect(host.write(0, bytes, "data cluster")).rejects.toMatchObject(error);
    await expect(host.flush()).rejects.toMatchObject(error);
    await expect(host.truncate(0)).rejects.toMatchObject(error);
    expect(file.toBytes()).toEqual(before);
  });

  it("refuses a structure where the image has none or another one", async () => {
    for (const owner of [undefined, "L1 table"] as const) {
      const { host, metadata } = await hostOf();
      if (owner) metadata.claim(0, clusterSize, owner);
      await expect(host.write(0, bytes, "L2 table")).rejects.toMatchObject({
        code: "QCOW2_OVERLAP",
        message: expect.stringContaining(owner ?? "no metadata"),
      });
    }
  });

  it("passes on what a check throws that is no overlap, and goes on", async () => {
    const { host, overlaps } = await hostOf();
    const throws = () => {
      throw new Error("a bug");
    };
    await expect(host.guarded(throws)).rejects.toThrow("a bug");
    expect(overlaps).toEqual([]);
    await host.write(0, bytes, "data cluster");
    expect(host.hasFailed).toBe(false);
  });

  it("writes nothing more once a flush or a decision has failed", async () => {
    const { host: flushing } = await hostOf({ flush: fail });
    await flushing.flush();
    await flushing.write(0, bytes, "data cluster");
    await expect(flushing.flush()).rejects.toMatchObject({ code: "QCOW2_IO" });
    await expect(flushing.write(0, bytes, "data cluster")).rejects.toMatchObject({ kind: "io" });

    const { host: deciding, metadata } = await hostOf({ write: fail });
    metadata.claim(0, clusterSize, "header");
    await expect(deciding.write(0, bytes, "header")).rejects.toMatchObject({ kind: "io" });
    expect(deciding.hasFailed).toBe(false);
    await expect(deciding.writeDecision(0, bytes, "header")).rejects.toMatchObject({ kind: "io" });
    expect(deciding.hasFailed).toBe(true);
  });

  it("cuts the file where the storage can, and says so when that fails", async () => {
    const { host, file } = await hostOf();
    await host.truncate(clusterSize);
    expect([host.sizeBytes, await file.size()]).toEqual([clusterSize, clusterSize]);
    const { host: failing } = await hostOf({ truncate: fail });
    await expect(failing.truncate(0)).rejects.toMatchObject({ code: "QCOW2_IO" });
    expect(failing.sizeBytes).toBe(8 * clusterSize);
    const file2 = new MemoryFile(new Uint8Array(100));
    const fixed = await SourceReader.open({
      size: () => file2.size(),
      read: (...args) => file2.read(...args),
      write: (...args) => file2.write(...args),
    });
    const uncut = new HostFile(fixed, undefined);
    await uncut.truncate(0);
    expect(uncut.sizeBytes).toBe(100);
  });

  it("gives space back inside the file alone, and lives with a failure of that", async () => {
    const holes: number[][] = [];
    const punchHole = async (offset: number, length: number) => void holes.push([offset, length]);
    const { host } = await hostOf({ punchHole });
    await host.release(7 * clusterSize, 4 * clusterSize);
    await host.release(8 * clusterSize, clusterSize);
    expect(holes).toEqual([[7 * clusterSize, clusterSize]]);
    const { host: failing } = await hostOf({ punchHole: fail });
    await failing.release(0, clusterSize);
    expect(failing.hasFailed).toBe(false);
    const { host: plain } = await hostOf();
    await plain.release(0, clusterSize);
  });
});

describe("MetadataMap", () => {
  it("lets snapshots share an L1 table, and nothing else", async () => {
    const { metadata } = await hostOf();
    metadata.claim(0, clusterSize, "snapshot L1 table");
    metadata.claim(0, clusterSize, "snapshot L1 table");
    expect(() => metadata.claim(0, clusterSize, "L1 table")).toThrow("snapshot L1 table");
    metadata.claim(clusterSize, clusterSize, "L1 table");
    expect(() => metadata.claim(clusterSize, 1, "L1 table")).toThrow("L1 table");
    expect(metadata.holds(clusterSize, clusterSize, "L1 table")).toBe(true);
    metadata.release(clusterSize, 2 * clusterSize, "L2 table");
    expect(metadata.holds(clusterSize, clusterSize, "L1 table")).toBe(true);
    metadata.release(clusterSize, 2 * clusterSize, "L1 table");
    expect(metadata.holds(clusterSize, clusterSize, "L1 table")).toBe(false);
  });
});
