import { MemoryFile, observeFile } from "@box/io";
import { type Codec, checkImage, convertImage, openImage } from "@box/qcow2";
import { describe, expect, it } from "vitest";

const clusterSizeBytes = 4096;

/** A codec that "compresses" a cluster, all of one byte, to so many bytes, after so many turns. */
function codecOf(lengthOf: (value: number) => number, turnsOf = (_: number) => 0): Required<Codec> {
  return {
    async compress(_, input) {
      const value = input[0] ?? 0;
      for (let turn = 0; turn < turnsOf(value); turn++) await new Promise(setImmediate);
      return new Uint8Array(lengthOf(value)).fill(value);
    },
    decompress: async (_, input, { outputBytes }) =>
      new Uint8Array(outputBytes).fill(input[0] ?? 0),
  };
}

/** Converts clusters that are each full of one byte, and checks what comes out. */
async function convertedWith(values: readonly number[], codec: Codec, refcountBits = 16) {
  const disk = new Uint8Array(values.length * clusterSizeBytes);
  for (const [index, value] of values.entries()) {
    disk.fill(value, index * clusterSizeBytes, (index + 1) * clusterSizeBytes);
  }
  // An image says where it has data, so that chunks may begin anywhere.
  const plain = new MemoryFile();
  await convertImage(new MemoryFile(disk), plain, { format: "qcow2", clusterSizeBytes });
  await using source = await openImage(plain);
  const file = new MemoryFile();
  const options = { clusterSizeBytes, refcountBits, compressed: "zlib", codec } as const;
  await convertImage(source, file, { format: "qcow2", ...options });
  expect((await checkImage(file)).findings).toEqual([]);
  const image = await openImage(file, { codec });
  expect(Buffer.compare(await image.read(0, disk.byteLength), disk)).toBe(0);
  const kinds: string[] = [];
  for await (const { kind, length } of image.extents()) {
    for (let at = 0; at < length; at += clusterSizeBytes) kinds.push(kind);
  }
  return kinds;
}

const counting = (length: number) => Array.from({ length }, (_, index) => 1 + (index % 255));

describe("compressed clusters", () => {
  it.for([1, 511, 512, 1024, 1365, 2048, 4095])(
    "of %d bytes are packed without a leak, for refcounts of any width",
    async (length) => {
      for (const refcountBits of [1, 2, 16]) {
        const kinds = await convertedWith(
          counting(50),
          codecOf(() => length),
          refcountBits,
        );
        expect(new Set(kinds)).toEqual(new Set(["compressed"]));
      }
    },
  );

  it("that do not become smaller are stored as they are, and zeros not at all", async () => {
    const codec = codecOf((value) => (value === 2 ? clusterSizeBytes : value === 3 ? 5000 : 100));
    const kinds = await convertedWith([1, 2, 3, 0, 1], codec);
    expect(kinds).toEqual(["compressed", "data", "data", "unallocated", "compressed"]);
  });

  it("keep their places when those that come first take longest", async () => {
    // Chunks of 2 MiB are compressed at the same time. As the first cluster is empty, none has an L2 table for itself.
    const values = counting(2048).map((_, index) => (index === 0 ? 0 : 1 + (index >> 9)));
    const codec = codecOf(
      () => 700,
      (value) => 40 - 10 * value,
    );
    const kinds = await convertedWith(values, codec);
    expect(kinds.shift()).toBe("unallocated");
    expect(new Set(kinds)).toEqual(new Set(["compressed"]));
  });
});

describe("convertImage", () => {
  it("touches no file when it was aborted before", async () => {
    let calls = 0;
    const touched = () => void calls++;
    const aborted = convertImage(
      observeFile(new MemoryFile(new Uint8Array(4096)), touched),
      observeFile(new MemoryFile(), touched),
      { format: "qcow2", signal: AbortSignal.abort() },
    );
    await expect(aborted).rejects.toMatchObject({ code: "QCOW2_ABORTED" });
    expect(calls).toBe(0);
  });

  it.for(["raw", "qcow2"] as const)("tells of all of the disk in the end: %s", async (format) => {
    const source = new MemoryFile();
    await convertImage(new MemoryFile(new Uint8Array(2 ** 20)), source, { format: "qcow2" });
    await using image = await openImage(source);
    const told: { doneBytes: number; totalBytes: number }[] = [];
    const onProgress = (progress: { doneBytes: number; totalBytes: number }) => told.push(progress);
    await convertImage(image, new MemoryFile(), { format, onProgress });
    expect(told.at(-1)).toEqual({ doneBytes: 2 ** 20, totalBytes: 2 ** 20 });
  });
});
