import { MemoryFile } from "@box/io";
import { createImage, openImage } from "@box/qcow2";
import { describe, expect, it } from "vitest";

const clusterBytes = 65_536;

/** Four clusters that lie one behind the other at the end of the file, of which the last one is cut off. */
async function cutImage(): Promise<MemoryFile> {
  const file = new MemoryFile();
  await createImage(file, { virtualSizeBytes: 4 * clusterBytes });
  const image = await openImage(file, { mode: "rw" });
  await image.write(0, new Uint8Array(4 * clusterBytes).fill(9));
  await image.close();
  const bytes = file.toBytes();
  expect(bytes.at(-1)).toBe(9);
  return new MemoryFile(bytes.slice(0, -clusterBytes));
}

describe("clusters in one run, the last of which begins past the end of the file", () => {
  it("are corrupt where the file ends, also when all are read at once", async () => {
    await using image = await openImage(await cutImage());
    await expect(image.read(0, 4 * clusterBytes)).rejects.toMatchObject({
      code: "QCOW2_OUT_OF_FILE",
      kind: "corrupt",
    });
    expect(await image.read(0, 3 * clusterBytes)).toEqual(new Uint8Array(3 * clusterBytes).fill(9));
  });

  it("read as zeros there the way QEMU reads them", async () => {
    await using image = await openImage(await cutImage(), { compat: "qemu" });
    const expected = new Uint8Array(4 * clusterBytes).fill(9, 0, 3 * clusterBytes);
    expect(await image.read(0, 4 * clusterBytes)).toEqual(expected);
  });
});
