import { MemoryFile } from "@box/io";
import { createImage, openImage } from "@box/qcow2";
import { expect, it } from "vitest";

const clusterBytes = 65536;

it("data of a data file is safe before the image names it, also when bitmaps fill the memory", async () => {
  const [file, data] = [new MemoryFile(), new MemoryFile()];
  const base = new MemoryFile(new Uint8Array(2 ** 20).fill(0xbb));
  await createImage(file, {
    virtualSizeBytes: 2 ** 30,
    backing: { name: "base", format: "raw" },
    dataFile: { name: "data", target: data },
  });
  let safe = data.toBytes();
  const source = {
    size: () => data.size(),
    read: (offset: number, length: number) => data.read(offset, length),
    write: (offset: number, bytes: Uint8Array) => data.write(offset, bytes),
    async flush() {
      safe = data.toBytes();
    },
  };
  const backing = async () => ({ source: base });
  const image = await openImage(file, {
    mode: "rw",
    limits: { maxMetadataBytes: 65536 },
    backing,
    dataFile: async () => ({ source }),
  });
  await image.addBitmap("bits", { granularityBytes: 512 });
  for (const cluster of [0, 1]) {
    await image.write(cluster * clusterBytes, new Uint8Array(4096).fill(1));
  }
  await image.writeZeroes(2 ** 29, 2 ** 29);
  // A crash of the power now: the data file has what was flushed, the image may have all that was written.
  await using after = await openImage(new MemoryFile(file.toBytes()), {
    compat: "qemu",
    backing,
    dataFile: async () => ({ source: new MemoryFile(safe) }),
  });
  const found = await after.read(0, 2 * clusterBytes);
  expect(found.filter((byte) => byte !== 1 && byte !== 0xbb)).toHaveLength(0);
});
