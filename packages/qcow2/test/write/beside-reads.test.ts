import { setImmediate } from "node:timers/promises";
import { MemoryFile } from "@box/io";
import { checkImage, createImage, openImage } from "@box/qcow2";
import { expect, it } from "vitest";

const clusterBytes = 512;
const tableBytes = (clusterBytes / 8) * clusterBytes;
const sizeBytes = 24 * tableBytes;

/** A file whose reads and writes take a turn of the event loop. */
function slow(file: MemoryFile) {
  return {
    size: () => file.size(),
    async read(offset: number, length: number) {
      await setImmediate();
      return file.read(offset, length);
    },
    async write(offset: number, bytes: Uint8Array) {
      await setImmediate();
      await file.write(offset, bytes);
    },
  };
}

it("changes are not disturbed by reads that drop the tables that they work on", async () => {
  const base = new MemoryFile(new Uint8Array(sizeBytes).map((_, at) => at % 251));
  const file = new MemoryFile();
  await createImage(file, {
    virtualSizeBytes: sizeBytes,
    clusterSizeBytes: clusterBytes,
    backing: { name: "base", format: "raw" },
  });
  const model = base.toBytes().slice();
  const backing = async () => ({ source: slow(base) });
  {
    const cacheBytes = 4 * clusterBytes;
    await using image = await openImage(slow(file), { mode: "rw", backing, cacheBytes });
    let state = 1;
    const random = (below: number): number => {
      state = (state * 1103515245 + 12345) % 2 ** 31;
      return Math.floor((state / 2 ** 31) * below);
    };
    let isDone = false;
    const readers = Array.from({ length: 16 }, async () => {
      while (!isDone) await image.read(random(sizeBytes - 700), 700);
    });
    for (let step = 0; step < 120; step++) {
      const length = 1 + random(3 * clusterBytes);
      const start = random(sizeBytes - length);
      if (step % 4 === 0) await image.writeZeroes(start, length);
      else await image.write(start, new Uint8Array(length).fill(step));
      model.fill(step % 4 === 0 ? 0 : step, start, start + length);
    }
    isDone = true;
    await Promise.all(readers);
  }
  await using image = await openImage(file, { backing: async () => ({ source: base }) });
  expect(Buffer.compare(await image.read(0, sizeBytes), model)).toBe(0);
  expect((await checkImage(file)).findings).toEqual([]);
});
