import { MemoryFile } from "@box/io";
import { checkImage, createImage, openImage } from "@box/qcow2";
import { describe, expect, it } from "vitest";
import { failing, moments } from "../support/failing.ts";

const clusterBytes = 4096;
const places = [0, 2 ** 19, 2 ** 20 - clusterBytes];

async function markedImage(): Promise<Uint8Array> {
  const file = new MemoryFile();
  await createImage(file, { virtualSizeBytes: 2 ** 20, clusterSizeBytes: clusterBytes });
  const image = await openImage(file, { mode: "rw" });
  for (const name of ["one", "two", "three"]) await image.addBitmap(name);
  await image.close();
  return file.toBytes();
}

/** What a bitmap marks; `undefined` for one that is not to be relied on. */
async function startsIn(file: MemoryFile, name: string): Promise<number[] | undefined> {
  await using image = await openImage(file);
  const bitmap = (await image.bitmaps()).find((other) => other.name === name);
  if (bitmap?.isInUse !== false) return undefined;
  const starts: number[] = [];
  for await (const { start } of image.dirtyRanges(name)) starts.push(start);
  return starts;
}

describe.each(moments)("when a write fails %s it has an effect", (when) => {
  it("no bitmap that can be relied on lacks a write that was flushed, at any of them", async () => {
    const start = await markedImage();
    let lost = 0;
    for (let at = 1; at < 200; at++) {
      const file = new MemoryFile(start);
      const storage = failing(file, at, { of: ["write"], when });
      const image = await openImage(storage.file, { mode: "rw" });
      const flushed: number[] = [];
      for (const place of places) {
        try {
          await image.write(place, Uint8Array.of(1));
          await image.flush();
          flushed.push(place);
          // A crash now: what is in the file is all there is.
          for (const name of ["one", "two", "three"]) {
            const found = await startsIn(new MemoryFile(file.toBytes()), name);
            if (found !== undefined) expect(found).toEqual(expect.arrayContaining(flushed));
          }
          await image.bitmaps();
        } catch (error) {
          expect(error).toMatchObject({ code: "QCOW2_IO" });
          lost++;
        }
      }
      await image.close();
      for (const name of ["one", "two", "three"]) {
        const found = await startsIn(file, name);
        if (found !== undefined) expect(found).toEqual(expect.arrayContaining(flushed));
      }
      const { findings } = await checkImage(file);
      expect(findings.filter(({ severity }) => severity === "error")).toEqual([]);
      if (storage.calls < at) break;
    }
    expect(lost).toBeGreaterThan(10);
  });
});
