import { MemoryFile } from "@box/io";
import { countUsedClusters, createImage, inspectImage, openImage } from "@box/qcow2";
import { describe, expect, test } from "vitest";

describe.each([1, 2, 4, 8, 16, 32, 64])("countUsedClusters with refcounts of %i bits", (bits) => {
  test("counts what is allocated, and stops at the limit", async () => {
    const source = new MemoryFile();
    const size = { virtualSizeBytes: 2 ** 20, clusterSizeBytes: 4096 };
    await createImage(source, { ...size, refcountBits: bits });
    const info = await inspectImage(source);
    // Header, refcount table, refcount block, L1 table.
    expect(await countUsedClusters(source, info, { atMost: 1000 })).toBe(4);
    await using image = await openImage(source, { mode: "rw" });
    await image.write(0, new Uint8Array(8 * 4096).fill(1));
    await image.flush();
    // Eight clusters of data and an L2 table.
    expect(await countUsedClusters(source, info, { atMost: 1000 })).toBe(13);
    expect(await countUsedClusters(source, info, { atMost: 6 })).toBe(6);
  });
});

test("countUsedClusters counts nothing where the file does not reach", async () => {
  const source = new MemoryFile();
  await createImage(source, { virtualSizeBytes: 2 ** 20 });
  const info = await inspectImage(source);
  await source.truncate(65536 + 8);
  expect(await countUsedClusters(source, info, { atMost: 1000 })).toBe(0);
});
