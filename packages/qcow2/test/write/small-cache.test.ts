import { MemoryFile, observeFile } from "@box/io";
import { checkImage, createImage, openImage } from "@box/qcow2";
import { describe, expect, it } from "vitest";

const clusterBytes = 512;
/** Bytes of the disk that one L2 table maps. */
const tableBytes = (clusterBytes / 8) * clusterBytes;

async function diskOf(tables: number, version: 2 | 3): Promise<MemoryFile> {
  const file = new MemoryFile();
  const virtualSizeBytes = (tables + 2) * tableBytes;
  await createImage(file, { virtualSizeBytes, version, clusterSizeBytes: clusterBytes });
  await using image = await openImage(file, { mode: "rw" });
  for (let at = 0; at < virtualSizeBytes; at += tableBytes) {
    await image.write(at, new Uint8Array(2 * clusterBytes).fill(7));
  }
  return file;
}

// What goes wrong here never ends, and not even a time-out of the test would end it: every slice is changed, so that an L1
// and an L2 table drop each other.
describe.each([2, 3] as const)(
  "one change of more tables than the cache has slices, version %s",
  (version) => {
    it.each([4, 5, 8])("ends, and is what it is to be, with %s slices", async (slices) => {
      const options = { mode: "rw", cacheBytes: slices * clusterBytes } as const;
      for (let tables = slices - 2; tables < 3 * slices; tables++) {
        const length = tables * tableBytes + 100;
        for (const change of ["zero", "write"]) {
          const file = await diskOf(tables, version);
          {
            await using image = await openImage(file, options);
            if (change === "write") await image.write(10, new Uint8Array(length).fill(9));
            else await image.writeZeroes(0, length);
          }
          await using image = await openImage(file, options);
          const start = change === "write" ? 10 : 0;
          const found = await image.read(start, length);
          expect(found.every((byte) => byte === (change === "write" ? 9 : 0))).toBe(true);
          expect((await checkImage(file)).findings).toEqual([]);
        }
      }
    });
  },
);

it("one large write stores its tables while it goes on, so that the cache keeps its size", async () => {
  const tables = 64;
  const file = new MemoryFile();
  await createImage(file, {
    virtualSizeBytes: tables * tableBytes,
    clusterSizeBytes: clusterBytes,
  });
  let flushes = 0;
  const observed = observeFile(file, ({ kind }) => {
    if (kind === "flush") flushes++;
  });
  await using image = await openImage(observed, { mode: "rw", cacheBytes: 16 * clusterBytes });
  await image.write(0, new Uint8Array(tables * tableBytes).fill(7));
  // Each commit flushes; half of the sixteen slices may wait for one.
  expect(flushes).toBeGreaterThanOrEqual(tables / 8);
});
