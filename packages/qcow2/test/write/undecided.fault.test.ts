import { MemoryFile, type RandomAccess } from "@box/io";
import { createImage, openImage, type Qcow2Image } from "@box/qcow2";
import { describe, expect, it } from "vitest";

const date = new Date(0);

/** Changes that a write to the header decides, which makes the file another one at once. */
const decided: Readonly<Record<string, (image: Qcow2Image) => Promise<unknown>>> = {
  "taking a snapshot": (image) => image.createSnapshot("s2", { date }),
  "applying a snapshot": (image) => image.applySnapshot("s1"),
  "deleting a snapshot": (image) => image.deleteSnapshot("s1"),
  "adding a bitmap": (image) => image.addBitmap("b"),
};

describe("when the write that decides which state the file is in fails", () => {
  it.for(Object.keys(decided))("nothing is written any more: %s", async (name) => {
    const file = new MemoryFile();
    await createImage(file, { virtualSizeBytes: 2 ** 20 });
    let fails = false;
    const writes: number[] = [];
    const source: RandomAccess = {
      size: () => file.size(),
      read: (...args) => file.read(...args),
      flush: () => file.flush(),
      truncate: (size) => file.truncate(size),
      write: async (offset, bytes) => {
        writes.push(offset);
        if (fails && offset < 65536) throw Object.assign(new Error("EIO"), { code: "EIO" });
        await file.write(offset, bytes);
      },
    };
    const image = await openImage(source, { mode: "rw" });
    await image.createSnapshot("s1", { date });
    await image.write(0, Uint8Array.of(1));
    await image.flush();
    fails = true;
    const change = (decided[name] as (typeof decided)[string])(image);
    await expect(change).rejects.toMatchObject({ code: "QCOW2_IO", kind: "io" });
    fails = false;
    writes.length = 0;
    await expect(image.write(0, Uint8Array.of(2))).rejects.toMatchObject({ code: "QCOW2_IO" });
    await expect(image.flush()).rejects.toMatchObject({ code: "QCOW2_IO" });
    await image.close();
    expect(writes).toEqual([]);
  });
});
