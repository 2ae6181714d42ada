import { MemoryFile } from "@box/io";
import { checkImage, createImage, openImage, type Qcow2Image } from "@box/qcow2";
import { describe, expect, it } from "vitest";

const clusterBytes = 512;

/** An image whose refcounts fill many blocks, with a bitmap that has clusters far apart. */
async function spreadImage(): Promise<Uint8Array> {
  const file = new MemoryFile();
  await createImage(file, { virtualSizeBytes: 2 ** 22, clusterSizeBytes: clusterBytes });
  const image = await openImage(file, { mode: "rw" });
  await image.write(0, new Uint8Array(2 ** 20).fill(3));
  await image.addBitmap("bits", { granularityBytes: 512 });
  await image.write(2 ** 19, new Uint8Array(4096).fill(4));
  await image.bitmaps();
  await image.write(2 ** 20, new Uint8Array(2 ** 19).fill(5));
  await image.close();
  return file.toBytes();
}

const changes: Readonly<Record<string, (image: Qcow2Image) => Promise<void>>> = {
  removeBitmap: (image) => image.removeBitmap("bits"),
  clearBitmap: (image) => image.clearBitmap("bits"),
  discard: async (image) => {
    await image.discard(2 ** 19, 2 ** 20);
    await image.flush();
  },
};

describe.each(Object.keys(changes))("%s", (name) => {
  it.each(["fails once", "is aborted"])("leaks nothing when any of its reads %s", async (how) => {
    const start = await spreadImage();
    let isOver = false;
    for (let failing = 1; !isOver; failing++) {
      const file = new MemoryFile(start);
      const abort = new AbortController();
      let reads = 0;
      let isChanging = false;
      const source = {
        size: () => file.size(),
        write: (offset: number, bytes: Uint8Array) => file.write(offset, bytes),
        async read(offset: number, length: number) {
          if (isChanging && ++reads === failing) {
            if (how === "is aborted") abort.abort();
            else throw Object.assign(new Error("EIO: i/o error"), { code: "EIO" });
          }
          return file.read(offset, length);
        },
      };
      const image = await openImage(source, { mode: "rw", signal: abort.signal });
      isChanging = true;
      await changes[name]?.(image).catch(() => {});
      isChanging = false;
      isOver = reads < failing;
      await image.close();
      expect((await checkImage(file)).findings).toEqual([]);
    }
  });
});
