import { MemoryFile } from "@box/io";
import { createImage, openImage } from "@box/qcow2";
import { expect, it } from "vitest";

const clusterBytes = 512;
const diskBytes = 2 ** 23;
const lengthBytes = 90_000;

it("more reads at once than the cache has slices share it: none keeps the others from ending", async () => {
  const file = new MemoryFile();
  await createImage(file, { virtualSizeBytes: diskBytes, clusterSizeBytes: clusterBytes });
  const content = Uint8Array.from({ length: diskBytes }, (_, at) => 1 + ((at >> 9) % 250));
  {
    await using image = await openImage(file, { mode: "rw" });
    await image.write(0, content);
  }
  let calls = 0;
  const source = {
    size: () => file.size(),
    async read(offset: number, length: number) {
      // What would go on for ever fails instead.
      if (++calls > 100_000) throw new Error("too many reads of the file");
      return file.read(offset, length);
    },
  };
  await using image = await openImage(source, { cacheBytes: 1 });
  const starts = Array.from(
    { length: 500 },
    (_, index) => (index * 20_000) % (diskBytes - lengthBytes),
  );
  const found = await Promise.all(starts.map((start) => image.read(start, lengthBytes)));
  for (const [index, start] of starts.entries()) {
    expect(
      Buffer.compare(found[index] as Uint8Array, content.subarray(start, start + lengthBytes)),
    ).toBe(0);
  }
  // Each needs its data and, at most, an L1 and an L2 table for each of its tables.
  expect(calls).toBeLessThan(500 * 10);
});
