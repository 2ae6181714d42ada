import { MemoryFile } from "@box/io";
import { amendImage, checkImage, createImage, openImage, rebaseImage } from "@box/qcow2";
import { describe, expect, it } from "vitest";

const data = new Uint8Array(200_000).fill(7);

/** An image without a backing file whose header says all the same how long its name is, which nobody looks at. */
async function oddImage(nameBytes: number): Promise<MemoryFile> {
  const file = new MemoryFile();
  await createImage(file, { virtualSizeBytes: 2 ** 22 });
  {
    await using image = await openImage(file, { mode: "rw" });
    await image.write(0, data);
  }
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, nameBytes);
  await file.write(16, bytes);
  // A feature bit that a writer clears, by writing the header anew.
  await file.write(95, Uint8Array.of(1 << 5));
  return file;
}

async function change(file: MemoryFile, run: (image: Opened) => Promise<unknown>): Promise<void> {
  await using image = await openImage(file, { mode: "rw" });
  await run(image);
}

type Opened = Awaited<ReturnType<typeof openImage>>;

const changes: Readonly<Record<string, (file: MemoryFile) => Promise<unknown>>> = {
  amendImage: (file) => amendImage(file, { hasLazyRefcounts: true }),
  rebaseImage: (file) =>
    rebaseImage(file, { newBacking: { name: "b", format: "raw" }, isUnsafe: true }),
  write: (file) => change(file, (image) => image.write(0, data)),
  addBitmap: (file) => change(file, (image) => image.addBitmap("bits")),
};

describe.each([1, 1023, 65_536, 2 ** 20, 2 ** 32 - 1])(
  "a header that gives a name that is not there %i bytes",
  (nameBytes) => {
    it.each(Object.keys(changes))("loses nothing by %s", async (name) => {
      const file = await oddImage(nameBytes);
      const sizeBytes = await file.size();
      await changes[name]?.(file);
      expect(await file.size()).toBeLessThanOrEqual(sizeBytes + 4 * 65_536);
      expect((await checkImage(file)).findings).toEqual([]);
      const backing = async () => ({ source: new MemoryFile(), format: "raw" as const });
      await using image = await openImage(file, { backing });
      expect(Buffer.compare(await image.read(0, data.byteLength), data)).toBe(0);
      // The size of no name is none.
      if (name !== "rebaseImage")
        expect((await file.read(16, 4)).every((byte) => byte === 0)).toBe(true);
    });
  },
);
