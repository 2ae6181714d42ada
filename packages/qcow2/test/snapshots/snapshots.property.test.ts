import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { MemoryFile } from "@box/io";
import { allowList, checkImage, createImage, openImage } from "@box/qcow2";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { layouts } from "../support/disk-script.ts";
import { hasQemuImg, qemuVerdict, temporaryFolder } from "../support/qemu.ts";
import {
  differences,
  type ImageModel,
  type ImageStep,
  imageSteps,
  runImageStep,
} from "../support/snapshot-script.ts";

const names = Object.keys(layouts).filter((name) => !/of 1 bit/.test(name));

describe("a disk with snapshots equals plain files that are written and copied the same way", () => {
  for (const name of names) {
    for (const hasBacking of [false, true]) {
      const options = layouts[name] ?? {};
      if (hasBacking && options.preallocation && !options.hasExtendedL2) continue;
      it(`with ${name}${hasBacking ? " on a backing file" : ""}`, async () => {
        using folder = temporaryFolder();
        const clusterSize = options.clusterSizeBytes ?? 65536;
        const size = Math.max(2, Math.min(24, 2 ** 21 / clusterSize)) * clusterSize - 100;
        const base = new Uint8Array(hasBacking ? Math.floor(size * 0.7) : 0).fill(0xbb);
        writeFileSync(join(folder.path, "base"), base);
        const run = async (steps: ImageStep[]): Promise<void> => {
          const file = new MemoryFile();
          const backing = { name: "base", format: "raw" };
          await createImage(file, {
            virtualSizeBytes: size,
            ...options,
            ...(hasBacking && { backing }),
          });
          const open = () => ({ source: new MemoryFile(base) });
          const resolver = allowList([{ name: "base", open }]);
          const image = await openImage(file, { mode: "rw", backing: resolver });
          const model: ImageModel = { disk: new Uint8Array(size), snapshots: [] };
          model.disk.set(base);
          for (const step of steps) {
            if (!(await runOrRefuse(image, model, step))) continue;
            if ("offset" in step && step.kind !== "flush") continue;
            const { findings } = await checkImage(file);
            expect(findings).toEqual([]);
            expect(await differences(image, model)).toEqual([]);
          }
          await image.close();
          expect((await checkImage(file)).findings).toEqual([]);
          await using again = await openImage(file, { backing: resolver });
          expect(await differences(again, model)).toEqual([]);
          if (!hasQemuImg) return;
          const path = join(folder.path, "i.qcow2");
          writeFileSync(path, file.toBytes());
          chmodSync(path, 0o644);
          expect(qemuVerdict(folder.path, "i.qcow2")).toBe("clean");
        };
        const isLarge = clusterSize > 65536;
        await fc.assert(fc.asyncProperty(imageSteps(size, clusterSize, isLarge ? 3 : 5), run), {
          numRuns: isLarge ? 2 : 8,
        });
      });
    }
  }
});

/** Narrow refcounts refuse some snapshots; the image is then what it was. */
async function runOrRefuse(...[image, model, step]: Parameters<typeof runImageStep>) {
  try {
    return await runImageStep(image, model, step);
  } catch (error) {
    expect(error).toMatchObject({ code: "QCOW2_REFCOUNT_OVERFLOW", kind: "limit" });
    expect(image.info.refcountBits).toBeLessThan(4);
    return true;
  }
}
