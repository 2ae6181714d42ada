import { MemoryFile } from "@box/io";
import { createImage, openImage } from "@box/qcow2";
import { describe, expect, it } from "vitest";

const virtualSizeBytes = 2 ** 20;
const clusterBytes = 65536;
const lost = { code: "QCOW2_OUT_OF_FILE", kind: "corrupt", structure: "data cluster" };

async function cutTo(sizeBytes: number, hasExtendedL2 = false) {
  const [file, data] = [new MemoryFile(), new MemoryFile()];
  const dataFile = { name: "data", target: data };
  await createImage(file, { virtualSizeBytes, dataFile, hasExtendedL2 });
  const resolver = async () => ({ source: data });
  const image = await openImage(file, { mode: "rw", dataFile: resolver });
  await image.write(0, new Uint8Array(virtualSizeBytes).fill(7));
  await image.close();
  await data.truncate(sizeBytes);
  return { file, options: { dataFile: resolver } };
}

describe.each([false, true])("an external data file that was cut, with subclusters: %s", (sub) => {
  it("is corrupt from the first cluster that begins past its end on", async () => {
    const { file, options } = await cutTo(clusterBytes + 1000, sub);
    const image = await openImage(file, options);
    const found = await image.read(0, 2 * clusterBytes);
    expect(found.subarray(0, clusterBytes + 1000).every((byte) => byte === 7)).toBe(true);
    expect(found.subarray(clusterBytes + 1000).every((byte) => byte === 0)).toBe(true);
    await expect(image.read(2 * clusterBytes, 1)).rejects.toMatchObject({
      ...lost,
      details: { dataFileOffset: 2 * clusterBytes, dataFileSizeBytes: clusterBytes + 1000 },
    });
    await expect(image.read(0, virtualSizeBytes)).rejects.toMatchObject(lost);
  });

  it("reads as zeros there with compat qemu, as in QEMU", async () => {
    const { file, options } = await cutTo(1000, sub);
    const image = await openImage(file, { ...options, compat: "qemu" });
    const found = await image.read(0, virtualSizeBytes);
    expect(found.subarray(0, 1000).every((byte) => byte === 7)).toBe(true);
    expect(found.subarray(1000).every((byte) => byte === 0)).toBe(true);
  });
});
