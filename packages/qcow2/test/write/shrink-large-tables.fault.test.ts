import { MemoryFile } from "@box/io";
import { checkImage, createImage, openImage } from "@box/qcow2";
import { expect, it } from "vitest";
import { failing } from "../support/failing.ts";

const clusterBytes = 2 ** 19;
/** Bytes of the disk that one L2 table maps; a table has eight slices, more than the smallest cache holds. */
const tableBytes = (clusterBytes / 8) * clusterBytes;
const places = [0, 1, 2, 3, 4, 5, 6, 7].map((slice) => tableBytes * (1 + slice / 8));
const taken = places.map((_, index) => (index + 1) * clusterBytes);
const value = (place: number) => new Uint8Array(512).fill(2 + places.indexOf(place));

async function disk(): Promise<Uint8Array> {
  const file = new MemoryFile();
  await createImage(file, {
    virtualSizeBytes: 2 * tableBytes,
    clusterSizeBytes: clusterBytes,
    refcountBits: 8,
  });
  await using image = await openImage(file, { mode: "rw" });
  for (const place of [0, ...places]) await image.write(place, value(place));
  await image.close();
  return file.toBytes();
}

it.each(["fails", "is aborted"])(
  "a disk of large tables loses nothing when any read of a shrink %s",
  async (how) => {
    const start = await disk();
    let failed = 0;
    for (let at = 1; ; at++) {
      const file = new MemoryFile(start);
      const storage = failing(file, how === "fails" ? at : 0, { of: ["read"] });
      const abort = new AbortController();
      const read = storage.file.read.bind(storage.file);
      storage.file.read = (...args) => {
        const reading = read(...args);
        if (how === "is aborted" && storage.isOn && storage.calls === at) abort.abort();
        return reading;
      };
      storage.isOn = false;
      const options = { mode: "rw", cacheBytes: 1 } as const;
      {
        await using image = await openImage(storage.file, { ...options, signal: abort.signal });
        storage.isOn = true;
        const isShrunk = await image.resize(tableBytes, { shrink: true }).then(
          () => true,
          () => false,
        );
        storage.isOn = false;
        if (isShrunk) break;
        failed++;
      }
      expect((await checkImage(file)).findings).toEqual([]);
      await using image = await openImage(file, options);
      // What is written next takes clusters that were given back, if any were.
      for (const place of taken) await image.write(place, value(0));
      const isLarge = image.sizeBytes > tableBytes;
      expect(image.sizeBytes).toBe(isLarge ? 2 * tableBytes : tableBytes);
      await image.resize(2 * tableBytes);
      const zeros = new Uint8Array(512);
      for (const place of places) {
        expect(await image.read(place, 512)).toEqual(isLarge ? value(place) : zeros);
      }
      for (const place of taken) expect(await image.read(place, 512)).toEqual(value(0));
    }
    expect(failed).toBeGreaterThan(8);
  },
);
