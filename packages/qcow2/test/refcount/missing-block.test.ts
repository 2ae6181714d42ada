import { MemoryFile } from "@box/io";
import { checkImage, createImage, openImage } from "@box/qcow2";
import { fixtures } from "@box/qcow2/fixtures";
import { describe, expect, it } from "vitest";
import { onto } from "../../fixtures/chains.ts";

const clusterSizeBytes = 512;
/** Clusters that one refcount block counts, with refcounts of 64 bits. */
const perBlock = 64;

/** An image whose refcount table has its first and its third block, and none between: nothing is there to be counted. */
async function imageWithGap(): Promise<MemoryFile> {
  const file = new MemoryFile();
  await createImage(file, { virtualSizeBytes: 2 ** 20, clusterSizeBytes, refcountBits: 64 });
  const bytes = new Uint8Array((2 * perBlock + 1) * clusterSizeBytes);
  bytes.set(file.toBytes());
  const view = new DataView(bytes.buffer);
  const blockAt = 2 * perBlock * clusterSizeBytes;
  view.setBigUint64(Number(view.getBigUint64(48)) + 16, BigInt(blockAt));
  view.setBigUint64(blockAt, 1n);
  return new MemoryFile(bytes);
}

const content = new Uint8Array(200 * clusterSizeBytes).map((_, at) => 1 + (at >> 9));

describe("an image with a gap in its refcount table", () => {
  it("is sound, and its gap is filled when its clusters are needed", async () => {
    const file = await imageWithGap();
    expect((await checkImage(file)).findings).toEqual([]);
    await using image = await openImage(file, { mode: "rw" });
    await image.write(0, content);
    await image.flush();
    expect((await checkImage(file)).findings).toEqual([]);
    expect(Buffer.compare(await image.read(0, content.byteLength), content)).toBe(0);
    const table = new DataView(file.toBytes().buffer);
    const second = table.getBigUint64(Number(table.getBigUint64(48)) + 8);
    expect(second).toBe(BigInt(perBlock * clusterSizeBytes));
  });

  it.each([1, 30, 45, 50, 52, 54])("takes snapshots of %i clusters", async (clusters) => {
    const file = await imageWithGap();
    await using image = await openImage(file, { mode: "rw" });
    await image.write(0, content.subarray(0, clusters * clusterSizeBytes));
    const date = new Date(0);
    for (const name of ["one", "two", "three"]) await image.createSnapshot(name, { date });
    expect((await checkImage(file)).findings).toEqual([]);
    await image.write(0, new Uint8Array(clusterSizeBytes).fill(99));
    await image.deleteSnapshot("two");
    await image.applySnapshot("one");
    await image.flush();
    expect((await checkImage(file)).findings).toEqual([]);
    const found = await image.read(0, clusters * clusterSizeBytes);
    expect(Buffer.compare(found, content.subarray(0, found.byteLength))).toBe(0);
  });
});

describe("an image whose cluster no refcount block counts", () => {
  it("is not written in place", async () => {
    const fixture = fixtures.find(({ name }) => name === "corrupt/refcount-block-absent");
    const bytes = fixture?.build() as Uint8Array;
    const options = { ...onto(() => new MemoryFile()), mode: "rw" } as const;
    const file = new MemoryFile(bytes);
    await using image = await openImage(file, options);
    await image.write(0, Uint8Array.of(1)).catch(() => {});
    await image.flush().catch(() => {});
    const after = file.toBytes();
    expect(after.subarray(0x50000, 0x60000)).toEqual(bytes.subarray(0x50000, 0x60000));
  });
});
