import { MemoryFile } from "@box/io";
import {
  checkImage,
  compareImages,
  convertImage,
  createImage,
  createOverlay,
  inspectImage,
  openImage,
  type Qcow2Image,
} from "@box/qcow2";
import { describe, expect, it } from "vitest";

/** What a caller without types may pass. */
type Anything = never;

const mistakes: Readonly<
  Record<string, (image: Qcow2Image, file: MemoryFile) => Promise<unknown>>
> = {
  "writing a text": (image) => image.write(0, "abc" as Anything),
  "writing nothing": (image) => image.write(0, undefined as Anything),
  "writing an ArrayBuffer": (image) => image.write(0, new ArrayBuffer(5) as Anything),
  "writing larger numbers": (image) => image.write(0, new Uint16Array(5) as Anything),
  "writing a view without elements": (image) =>
    image.write(0, new DataView(new ArrayBuffer(4)) as Anything),
  "reading into a text": (image) => image.read(0, 10, "abc" as Anything),
  "reading into fewer bytes": (image) => image.read(0, 10, new Uint8Array(9)),
  "opening in the mode w": (_, file) => openImage(file, { mode: "w" as Anything }),
  "repairing `true`": (_, file) => checkImage(file, { repair: true as Anything }),
  "opening in the compat mode lax": (_, file) => openImage(file, { compat: "lax" as Anything }),
  "opening a path": () => openImage("disk.qcow2" as Anything),
  "opening nothing": () => openImage(undefined as Anything),
  "opening bytes": (_, file) => openImage(file.toBytes() as Anything),
  "looking at a path": () => inspectImage("disk.qcow2" as Anything),
  "looking at bytes": (_, file) => inspectImage(file.toBytes() as Anything),
  "checking a path": () => checkImage("disk.qcow2" as Anything, { repair: "all" }),
  "comparing a path": (image) => compareImages("disk.qcow2" as Anything, image),
  "converting a path": () =>
    convertImage("disk.qcow2" as Anything, new MemoryFile(), { format: "raw" }),
  "a bitmap whose name is half a character": (image) => image.addBitmap("b\ud800"),
  "a bitmap whose name is a number": (image) => image.addBitmap(7 as Anything),
  "an overlay on a format that is not known": () =>
    createOverlay(new MemoryFile(), {
      virtualSizeBytes: 2 ** 20,
      backingName: "b",
      backingFormat: "vmdk" as Anything,
    }),
  "a bitmap of what is no image": (image) => image.mergeBitmap("a", "b", { image: {} as Anything }),
  "a bitmap of null": (image) => image.mergeBitmap("a", "b", null as Anything),
  "extents of null": (image) => image.extents(null as Anything).next(),
  "a snapshot without a date": (image) => image.createSnapshot("a", undefined as Anything),
  "a snapshot whose date is a text": (image) =>
    image.createSnapshot("a", { date: "now" as Anything }),
};

describe("an argument that no type would let pass", () => {
  it.each(Object.keys(mistakes))("is refused before anything is written: %s", async (name) => {
    const file = new MemoryFile();
    await createImage(file, { virtualSizeBytes: 2 ** 20 });
    const before = file.toBytes();
    const image = await openImage(file, { mode: "rw" });
    await expect(mistakes[name]?.(image, file)).rejects.toMatchObject({
      name: "Qcow2Error",
      code: "QCOW2_INVALID_ARGUMENT",
    });
    await image.close();
    expect(Buffer.compare(file.toBytes(), before)).toBe(0);
  });

  it("is not one when bytes are a Buffer, or there is more room than is read", async () => {
    const file = new MemoryFile();
    await createImage(file, { virtualSizeBytes: 2 ** 20 });
    await using image = await openImage(file, { mode: "rw" });
    await image.write(2 ** 20 - 3, Buffer.from("abc"));
    const found = await image.read(2 ** 20 - 3, 10, new Uint8Array(5));
    expect(Buffer.from(found).toString()).toBe("abc");
  });
});

describe("a read of more than memory holds at once", () => {
  it("is an invalid argument, whatever the disk has", async () => {
    const file = new MemoryFile();
    await createImage(file, { virtualSizeBytes: 2 ** 46, clusterSizeBytes: 2 ** 21 });
    await using image = await openImage(file);
    for (const length of [2 ** 40, 2 ** 46, Number.MAX_SAFE_INTEGER]) {
      await expect(image.read(0, length)).rejects.toMatchObject({
        code: "QCOW2_INVALID_ARGUMENT",
        hint: "read less at a time",
      });
    }
  });
});
