import { MemoryFile, observeFile } from "@box/io";
import { convertImage, createImage, measureDisk, measureImage, openImage } from "@box/qcow2";
import fc from "fast-check";
import { describe, expect, it } from "vitest";

describe("measureImage", () => {
  it("refuses what cannot be made", async () => {
    const options = { format: "qcow2", clusterSizeBytes: 512 } as const;
    expect(() => measureDisk(-1, { format: "raw" })).toThrow(/whole number/);
    expect(() => measureDisk(2 ** 50, options)).toThrow(/L1 table/);
    expect(() => measureDisk(1, { ...options, clusterSizeBytes: 513 })).toThrow(/power of two/);
    const v2 = { format: "qcow2", version: 2, refcountBits: 8 } as const;
    await expect(measureImage(new MemoryFile(), v2)).rejects.toMatchObject({
      code: "QCOW2_INVALID_ARGUMENT",
    });
  });

  it("is never less than what converting then takes", async () => {
    const blocks = fc.array(fc.tuple(fc.nat(400), fc.integer({ min: 1, max: 9000 })), {
      maxLength: 9,
    });
    const clusterSizes = fc.constantFrom(512, 4096, 65536);
    await fc.assert(
      fc.asyncProperty(blocks, clusterSizes, async (ranges, clusterSizeBytes) => {
        const bytes = new Uint8Array(2_000_000);
        for (const [block, length] of ranges) bytes.fill(1, block * 4096, block * 4096 + length);
        const source = new MemoryFile(bytes);
        const options = { format: "qcow2", clusterSizeBytes } as const;
        const target = new MemoryFile();
        await convertImage(source, target, options);
        const measure = await measureImage(source, { ...options, readsZeros: true });
        const whole = await measureImage(source, options);
        expect(await target.size()).toBeLessThanOrEqual(measure.requiredBytes);
        expect(measure.requiredBytes).toBeLessThanOrEqual(whole.requiredBytes);
        expect(whole.requiredBytes).toBe(whole.fullyAllocatedBytes);
        expect("bitmapsBytes" in whole).toBe(false);
      }),
      { numRuns: 40 },
    );
  });

  it("reads no data unless it is told to, and stops when it is aborted", async () => {
    const file = new MemoryFile();
    await createImage(file, { virtualSizeBytes: 2 ** 22, preallocation: "full" });
    let dataReads = 0;
    const observed = observeFile(file, ({ kind, offset }) => {
      if (kind === "read" && offset >= 2 ** 20) dataReads++;
    });
    const image = await openImage(observed);
    const measure = await measureImage(image, { format: "qcow2" });
    expect(measure).toEqual({
      requiredBytes: await file.size(),
      fullyAllocatedBytes: await file.size(),
      bitmapsBytes: 0,
    });
    expect(dataReads).toBe(0);
    const read = await measureImage(image, { format: "qcow2", readsZeros: true });
    expect(read.requiredBytes).toBe(measure.requiredBytes - 2 ** 22);
    expect(dataReads).toBeGreaterThan(0);
    const aborted = measureImage(image, { format: "qcow2", signal: AbortSignal.abort() });
    await expect(aborted).rejects.toMatchObject({ code: "QCOW2_ABORTED" });
  });

  it("counts the names of bitmaps as they are stored, not as they are shown", async () => {
    const file = new MemoryFile();
    await createImage(file, { virtualSizeBytes: 2 ** 22 });
    await using image = await openImage(file, { mode: "rw" });
    // As they are stored the names fit into one cluster with their entries; as they are shown they have three times as many bytes.
    for (const letter of ["a", "b"]) await image.addBitmap("\u0001".repeat(160) + letter);
    const options = { format: "qcow2", clusterSizeBytes: 512 } as const;
    const bitmaps = 2 * (1 + 1);
    const { bitmapsBytes } = await measureImage(image, options);
    expect(bitmapsBytes).toBe((bitmaps + 1) * 512);
  });

  it("counts no bitmaps that cannot be copied because they are in use", async () => {
    const file = new MemoryFile();
    await createImage(file, { virtualSizeBytes: 2 ** 22 });
    const image = await openImage(file, { mode: "rw" });
    await image.addBitmap("bits");
    const options = { format: "qcow2" } as const;
    const { bitmapsBytes } = await measureImage(image, options);
    expect(bitmapsBytes).toBeGreaterThan(0);
    await image.write(0, Uint8Array.of(1));
    await image.flush();
    const crashed = await openImage(new MemoryFile(file.toBytes()));
    expect(await measureImage(crashed, options)).toMatchObject({ bitmapsBytes: 0 });
  });
});
