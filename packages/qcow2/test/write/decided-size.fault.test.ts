import { MemoryFile } from "@box/io";
import { checkImage, createImage, openImage } from "@box/qcow2";
import { describe, expect, it } from "vitest";
import { failing, moments } from "../support/failing.ts";

const clusterBytes = 512;
const [before, after] = [10.5 * clusterBytes, 150.5 * clusterBytes];
const base = new MemoryFile(new Uint8Array(14 * clusterBytes + 700).fill(0xbb));
const backing = async () => ({ source: base });

async function overlay(hasBitmap: boolean): Promise<Uint8Array> {
  const file = new MemoryFile();
  await createImage(file, {
    virtualSizeBytes: before,
    clusterSizeBytes: clusterBytes,
    backing: { name: "base", format: "raw" },
  });
  {
    await using image = await openImage(file, { mode: "rw", backing });
    if (hasBitmap) await image.addBitmap("bits");
    await image.write(0, new Uint8Array(clusterBytes).fill(1));
  }
  return file.toBytes();
}

/** What the disk has behind its old end: nothing of the backing file, whatever its size is. */
async function expectHidden(file: MemoryFile): Promise<number> {
  await using image = await openImage(file, { backing });
  expect([before, after]).toContain(image.sizeBytes);
  const found = await image.read(before, image.sizeBytes - before);
  expect(found.every((byte) => byte === 0)).toBe(true);
  return image.sizeBytes;
}

describe.each([false, true])(
  "a disk that grows over a longer backing file, bitmaps: %s",
  (hasBitmap) => {
    it.each(moments)(
      "hides it when a write fails, at any of them, %s it has an effect",
      async (when) => {
        const start = await overlay(hasBitmap);
        const sizes = new Set<number>();
        for (let at = 1; at < 1000; at++) {
          const file = new MemoryFile(start);
          const storage = failing(file, at, { of: ["write"], when });
          const image = await openImage(storage.file, { mode: "rw", backing });
          const error = await image.resize(after).then(
            () => undefined,
            (cause: unknown) => cause,
          );
          await image.close().catch(() => {});
          sizes.add(await expectHidden(file));
          const { findings } = await checkImage(file);
          expect(findings.filter(({ severity }) => severity === "error")).toEqual([]);
          if (error === undefined && storage.calls < at) break;
        }
        expect(sizes).toEqual(new Set([before, after]));
      },
    );
  },
);
