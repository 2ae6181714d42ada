import { MemoryFile, observeFile } from "@box/io";
import { type Codec, convertImage, openImage } from "@box/qcow2";
import { describe, expect, it } from "vitest";
import { portableCodec } from "../../src/codec/portable-codec.ts";
import { nodeCodec } from "../../src/node/node-codec.ts";

const clusterSizeBytes = 65536;
const clusters = 40;

async function compressedImage(): Promise<MemoryFile> {
  const disk = new Uint8Array(clusters * clusterSizeBytes).map((_, at) => 1 + (at >> 16));
  const file = new MemoryFile();
  await convertImage(new MemoryFile(disk), file, {
    format: "qcow2",
    compressed: "zlib",
    clusterSizeBytes,
    codec: nodeCodec,
  });
  return file;
}

describe("compressed clusters that are read in parts", () => {
  it("are kept for the next part, 1 MiB of them and those that were read last", async () => {
    let reads = 0;
    let decompressed = 0;
    const file = observeFile(await compressedImage(), ({ kind }) => {
      if (kind === "read") reads++;
    });
    const codec: Codec = {
      decompress: async (...args) => {
        decompressed++;
        return portableCodec.decompress(...args);
      },
    };
    await using image = await openImage(file, { codec });
    const first = async (cluster: number): Promise<number | undefined> =>
      (await image.read(cluster * clusterSizeBytes, 512))[0];
    for (let cluster = 0; cluster < clusters; cluster++) {
      expect(await first(cluster)).toBe(1 + cluster);
      expect((await image.read((cluster + 1) * clusterSizeBytes - 1, 1))[0]).toBe(1 + cluster);
    }
    expect(decompressed).toBe(clusters);
    const before = reads;
    expect(await first(clusters - 16)).toBe(clusters - 15);
    expect([decompressed, reads]).toEqual([clusters, before]);
    expect(await first(0)).toBe(1);
    expect([decompressed, reads]).toEqual([clusters + 1, before + 1]);
  });

  it.each([-1, 1])("are not what a codec gives of another length: %s", async (more) => {
    const codec: Codec = {
      decompress: async () => new Uint8Array(clusterSizeBytes + more),
    };
    await using image = await openImage(await compressedImage(), { codec });
    for (const length of [512, clusterSizeBytes]) {
      await expect(image.read(0, length)).rejects.toMatchObject({
        code: "QCOW2_INVALID_ARGUMENT",
        message: expect.stringContaining(`the codec gave ${clusterSizeBytes + more} bytes`),
      });
    }
  });

  it("pass on what a codec fails with, and try again the next time", async () => {
    let isBroken = true;
    const codec: Codec = {
      decompress: (...args) =>
        isBroken ? Promise.reject(new Error("a bug")) : portableCodec.decompress(...args),
    };
    await using image = await openImage(await compressedImage(), { codec });
    await expect(image.read(0, 1)).rejects.toThrow("a bug");
    isBroken = false;
    expect(await image.read(0, 1)).toEqual(Uint8Array.of(1));
  });
});
