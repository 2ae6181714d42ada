import { MemoryFile } from "@box/io";
import { allowList, checkStructure, createImage, openImage } from "@box/qcow2";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { applyToModel, diskSteps, layouts, runStep } from "../support/disk-script.ts";

const clusterCount = 40;

describe("a disk that is written equals a plain file with the same writes", () => {
  for (const [name, options] of Object.entries(layouts)) {
    for (const hasBacking of [false, true]) {
      if (hasBacking && options.preallocation && !options.hasExtendedL2) continue;
      it(`with ${name}${hasBacking ? " on a backing file" : ""}, and stays sound`, async () => {
        const clusterSize = options.clusterSizeBytes ?? 65536;
        const size = Math.min(clusterCount, 2 ** 22 / clusterSize) * clusterSize - 100;
        await fc.assert(
          fc.asyncProperty(diskSteps(size, clusterSize), async (steps) => {
            const base = new Uint8Array(hasBacking ? Math.floor(size * 0.7) : 0).fill(0xbb);
            const file = new MemoryFile();
            const backing = { name: "base", format: "raw" };
            await createImage(file, {
              virtualSizeBytes: size,
              ...options,
              ...(hasBacking && { backing }),
            });
            const resolver = allowList([
              { name: "base", open: () => ({ source: new MemoryFile(base) }) },
            ]);
            const image = await openImage(file, { mode: "rw", backing: resolver });
            const model = new Uint8Array(size);
            model.set(base);
            for (const step of steps) {
              await runStep(image, step);
              await applyToModel(model, step, image);
            }
            expect(Buffer.compare(await image.read(0, size), model)).toBe(0);
            await image.close();
            expect(await checkStructure(file)).toMatchObject({ leaks: 0 });
            await using again = await openImage(file, { backing: resolver });
            expect(Buffer.compare(await again.read(0, size), model)).toBe(0);
          }),
          { numRuns: clusterSize > 65536 ? 5 : 15 },
        );
      });
    }
  }
});

describe("a disk with an external data file", () => {
  it.for([false, true])("equals a plain file with the same writes (raw: %s)", async (isRaw) => {
    const size = 12 * 65536 - 512;
    await fc.assert(
      fc.asyncProperty(diskSteps(size, 65536), async (steps) => {
        const [file, target] = [new MemoryFile(), new MemoryFile()];
        await createImage(file, {
          virtualSizeBytes: size,
          dataFile: { name: "d", isRaw, target },
        });
        const dataFile = allowList([{ name: "d", open: () => ({ source: target }) }]);
        const image = await openImage(file, { mode: "rw", dataFile });
        const model = new Uint8Array(size);
        for (const step of steps) {
          await runStep(image, step);
          await applyToModel(model, step, image);
        }
        expect(Buffer.compare(await image.read(0, size), model)).toBe(0);
        await image.close();
        expect(await checkStructure(file)).toMatchObject({ leaks: 0 });
        if (isRaw) expect(Buffer.compare(target.toBytes().subarray(0, size), model)).toBe(0);
      }),
      { numRuns: 20 },
    );
  });
});
