import { MemoryFile, observeFile } from "@box/io";
import {
  type CreateImageOptions,
  createImage,
  openImage,
  type Qcow2Image,
  type ResizeOptions,
} from "@box/qcow2";
import { fixtures } from "@box/qcow2/fixtures";
import { describe, expect, it } from "vitest";
import { onto } from "../../fixtures/chains.ts";
import { recorded } from "../support/disk-script.ts";

const size = 2 ** 20;
const dataFile = { name: "data" };

interface Refused {
  readonly why: string;
  readonly code: string;
  readonly to: number;
  readonly how?: ResizeOptions;
  readonly made?: Partial<CreateImageOptions>;
  readonly prepare?: (image: Qcow2Image) => Promise<unknown>;
}

const date = new Date(0);
const refused: readonly Refused[] = [
  { why: "a negative size", code: "QCOW2_INVALID_ARGUMENT", to: -1 },
  { why: "half a byte", code: "QCOW2_INVALID_ARGUMENT", to: size + 0.5 },
  { why: "2^53 bytes", code: "QCOW2_INVALID_ARGUMENT", to: 2 ** 53 },
  { why: "a smaller size without shrink", code: "QCOW2_INVALID_ARGUMENT", to: size - 1 },
  {
    why: "an amount of preallocation that is unknown",
    code: "QCOW2_INVALID_ARGUMENT",
    to: 2 * size,
    how: { preallocation: "falloc" as "full" },
  },
  {
    why: "a smaller size with preallocation",
    code: "QCOW2_INVALID_ARGUMENT",
    to: size - 1,
    how: { shrink: true, preallocation: "metadata" },
  },
  {
    why: "no size at all with bitmaps",
    code: "QCOW2_UNSUPPORTED_FEATURE",
    to: 0,
    how: { shrink: true },
    prepare: (image) => image.addBitmap("bits"),
  },
  {
    why: "a raw data file whose length cannot be set",
    code: "QCOW2_UNSUPPORTED_FEATURE",
    to: 2 * size,
    made: { dataFile: { ...dataFile, isRaw: true } },
  },
  {
    why: "version 2 with snapshots",
    code: "QCOW2_UNSUPPORTED_FEATURE",
    to: 2 * size,
    made: { version: 2 },
    prepare: (image) => image.createSnapshot("one", { date }),
  },
  {
    why: "version 2 with preallocated metadata",
    code: "QCOW2_UNSUPPORTED_FEATURE",
    to: 2 * size,
    how: { preallocation: "metadata" },
    made: { version: 2 },
  },
  { why: "an L1 table over 32 MiB", code: "QCOW2_IMAGE_TOO_LARGE", to: 2 ** 22 * 2 ** 21 + 1 },
];

describe("resize", () => {
  it.each(refused)("refuses $why and writes nothing", async ({ code, to, how, made, prepare }) => {
    const memory = new MemoryFile();
    await createImage(memory, { virtualSizeBytes: size, clusterSizeBytes: 4096, ...made });
    const { truncate: _, ...data } = observeFile(new MemoryFile(new Uint8Array(size)), () => {});
    const options = { mode: "rw", dataFile: async () => ({ source: data }) } as const;
    if (prepare) {
      await using image = await openImage(memory, options);
      await prepare(image);
    }
    const { file, log } = recorded(memory);
    await using image = await openImage(file, options);
    await expect(image.resize(to, how)).rejects.toMatchObject({ code });
    expect(image.sizeBytes).toBe(size);
    expect(log).toEqual([]);
  });

  it("refuses an image with a snapshot that does not say how large its disk is", async () => {
    const fixture = fixtures.find(({ name }) => name === "valid/snapshot-without-extra");
    const { file, log } = recorded(new MemoryFile(fixture?.build() as Uint8Array));
    const options = { ...onto(() => new MemoryFile()), mode: "rw" } as const;
    await using image = await openImage(file, options);
    const { sizeBytes } = image;
    const resizing = image.resize(2 * sizeBytes);
    await expect(resizing).rejects.toMatchObject({ code: "QCOW2_UNSUPPORTED_FEATURE" });
    await image.resize(sizeBytes);
    expect(log).toEqual([]);
    expect(await image.snapshots()).toMatchObject([{ diskSizeBytes: BigInt(sizeBytes) }]);
  });

  it("does nothing for the size that the disk has", async () => {
    const memory = new MemoryFile();
    await createImage(memory, { virtualSizeBytes: size, clusterSizeBytes: 4096 });
    const { file, log } = recorded(memory);
    await using image = await openImage(file, { mode: "rw" });
    await image.resize(size);
    expect(log).toEqual([]);
  });

  it.each(["off", "metadata", "full"] as const)(
    "makes a new part that reads as zeros, in clusters that held other bytes: %s",
    async (preallocation) => {
      const memory = new MemoryFile();
      await createImage(memory, { virtualSizeBytes: size, clusterSizeBytes: 4096 });
      await using image = await openImage(memory, { mode: "rw" });
      await image.write(0, new Uint8Array(size).fill(0xaa));
      await image.flush();
      await image.discard(0, size / 2);
      await image.flush();
      await image.resize(size + 100_000, { preallocation });
      const found = await image.read(size - 100, 100_100);
      expect(found.subarray(0, 100).every((byte) => byte === 0xaa)).toBe(true);
      expect(found.subarray(100).every((byte) => byte === 0)).toBe(true);
    },
  );
});
