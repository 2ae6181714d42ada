import { MemoryFile, observeFile } from "@box/io";
import { type CreateImageOptions, checkStructure, createImage, inspectImage } from "@box/qcow2";
import fc from "fast-check";
import { describe, expect, it } from "vitest";

describe("createImage", () => {
  it("stores every option in the header", async () => {
    const target = new MemoryFile();
    await createImage(target, {
      virtualSizeBytes: 2 ** 30,
      clusterSizeBytes: 32768,
      refcountBits: 1,
      hasExtendedL2: true,
      compressionType: "zstd",
      hasLazyRefcounts: true,
      backing: { name: "b", format: "qcow2" },
    });
    expect(await inspectImage(target)).toMatchObject({
      version: 3,
      clusterSizeBytes: 32768,
      refcountBits: 1,
      hasExtendedL2: true,
      compressionType: "zstd",
      hasLazyRefcounts: true,
      backing: { name: "b", format: "qcow2" },
    });
  });

  it.for<[string, Partial<CreateImageOptions>]>([
    ["a cluster size that is not a power of two", { clusterSizeBytes: 1000 }],
    ["clusters of 256 bytes", { clusterSizeBytes: 256 }],
    ["clusters of 4 MiB", { clusterSizeBytes: 2 ** 22 }],
    ["refcounts of 3 bits", { refcountBits: 3 }],
    ["refcounts of 128 bits", { refcountBits: 128 }],
    ["version 2 with zstd", { version: 2, compressionType: "zstd" }],
    [
      "version 2 with everything else",
      {
        version: 2,
        refcountBits: 8,
        hasExtendedL2: true,
        hasLazyRefcounts: true,
        dataFile: { name: "d" },
      },
    ],
    ["an unknown version", { version: 4 as 3 }],
    ["an unknown compression", { compressionType: "lzma" as "zlib" }],
    ["an unknown amount of preallocation", { preallocation: "falloc" as "full" }],
    ["extended L2 entries in small clusters", { hasExtendedL2: true, clusterSizeBytes: 8192 }],
    [
      "a raw data file with a backing file",
      {
        dataFile: { name: "d", isRaw: true },
        backing: { name: "b", format: "raw" },
      },
    ],
    [
      "a raw data file without its tables",
      {
        dataFile: { name: "d", isRaw: true },
        preallocation: "off",
      },
    ],
    [
      "preallocation over a backing file",
      {
        preallocation: "metadata",
        backing: { name: "b", format: "raw" },
      },
    ],
    [
      "a backing name that does not fit the first cluster",
      {
        clusterSizeBytes: 512,
        backing: { name: "b".repeat(400), format: "raw" },
      },
    ],
  ])("refuses %s and leaves the target empty", async ([, options]) => {
    const target = new MemoryFile();
    await expect(
      createImage(target, { virtualSizeBytes: 2 ** 20, ...options }),
    ).rejects.toMatchObject({
      code: "QCOW2_INVALID_ARGUMENT",
    });
    expect(await target.size()).toBe(0);
  });

  it("refuses a disk that its clusters are too small for", async () => {
    const options = { virtualSizeBytes: 2 ** 38, clusterSizeBytes: 512 };
    await expect(createImage(new MemoryFile(), options)).rejects.toMatchObject({ kind: "limit" });
  });

  it("stops between writes when it is aborted, without a magic in the file", async () => {
    const controller = new AbortController();
    const file = new MemoryFile();
    const target = observeFile(file, ({ kind }) => {
      if (kind === "write") controller.abort();
    });
    const creating = createImage(target, {
      virtualSizeBytes: 2 ** 30,
      preallocation: "metadata",
      signal: controller.signal,
    });
    await expect(creating).rejects.toMatchObject({ kind: "aborted" });
    await expect(inspectImage(file)).rejects.toMatchObject({ code: "QCOW2_BAD_MAGIC" });
  });

  it("makes a sound image of any geometry", async () => {
    const geometry = fc.record({
      virtualSizeBytes: fc.integer({ min: 0, max: 3 * 2 ** 20 }),
      clusterSizeBytes: fc.integer({ min: 9, max: 18 }).map((bits) => 2 ** bits),
      refcountBits: fc.integer({ min: 0, max: 6 }).map((order) => 2 ** order),
      preallocation: fc.constantFrom("off" as const, "metadata" as const),
    });
    await fc.assert(
      fc.asyncProperty(geometry, async (options) => {
        const target = new MemoryFile();
        await createImage(target, options);
        expect(await checkStructure(target)).toMatchObject({
          leaks: 0,
          info: { virtualSizeBytes: BigInt(options.virtualSizeBytes) },
        });
      }),
      { numRuns: 60 },
    );
  });
});
