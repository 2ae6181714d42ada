import { MemoryFile } from "@box/io";
import { checkImage, createImage, openImage, type Qcow2Image } from "@box/qcow2";
import { describe, expect, it } from "vitest";

const clusterBytes = 512;
const [small, large] = [2 ** 16, 2 ** 24];

async function imageOf(sizeBytes: number): Promise<{ file: MemoryFile; image: Qcow2Image }> {
  const file = new MemoryFile();
  await createImage(file, { virtualSizeBytes: sizeBytes, clusterSizeBytes: clusterBytes });
  return { file, image: await openImage(file, { mode: "rw" }) };
}

const changes: Readonly<Record<string, (image: Qcow2Image) => Promise<void>>> = {
  write: (image) => image.write(large - clusterBytes, new Uint8Array(clusterBytes).fill(7)),
  writeZeroes: (image) => image.writeZeroes(small, large - small),
  discard: (image) => image.discard(large - 2 * clusterBytes, clusterBytes),
};

describe.each(Object.keys(changes))("%s behind the end that a disk gets meanwhile", (name) => {
  it("is refused when the disk has become smaller, and nothing is changed by it", async () => {
    const { file, image } = await imageOf(large);
    await image.write(0, Uint8Array.of(1));
    const [, changed] = await Promise.allSettled([
      image.resize(small, { shrink: true }),
      changes[name]?.(image),
    ]);
    expect(changed).toMatchObject({ reason: { code: "QCOW2_INVALID_ARGUMENT" } });
    await image.close();
    expect((await checkImage(file)).findings).toEqual([]);
  });

  it("is refused when a snapshot of a smaller disk was applied", async () => {
    const { file, image } = await imageOf(small);
    await image.createSnapshot("small", { date: new Date(0) });
    await image.resize(large);
    const [, changed] = await Promise.allSettled([
      image.applySnapshot("small"),
      changes[name]?.(image),
    ]);
    expect(changed).toMatchObject({ reason: { code: "QCOW2_INVALID_ARGUMENT" } });
    await image.close();
    expect((await checkImage(file)).findings).toEqual([]);
  });

  it("is done when the disk has become larger", async () => {
    const { file, image } = await imageOf(small);
    await Promise.all([image.resize(large), changes[name]?.(image)]);
    await image.close();
    expect((await checkImage(file)).findings).toEqual([]);
  });
});
