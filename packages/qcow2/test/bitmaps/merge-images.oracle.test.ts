import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { MemoryFile } from "@box/io";
import { createImage, openImage } from "@box/qcow2";
import { openImageFile } from "@box/qcow2/node";
import { describe, expect, it } from "vitest";
import { qemuRangesOf, rangesOf } from "../support/bitmap-ranges.ts";
import { hasQemuImg, qemuImg, qemuIo, qemuVerdict, temporaryFolder } from "../support/qemu.ts";

async function imageWith(sizeBytes: number, name: string) {
  const file = new MemoryFile();
  await createImage(file, { virtualSizeBytes: sizeBytes });
  const image = await openImage(file, { mode: "rw" });
  await image.addBitmap(name, { granularityBytes: 512 });
  return { file, image };
}

describe("a bitmap of another image", () => {
  it("is refused when it is missing, in use or of another disk, and nothing is changed", async () => {
    const { file, image } = await imageWith(2 ** 20, "to");
    const larger = await imageWith(2 ** 20 + 512, "from");
    const left = await imageWith(2 ** 20, "from");
    await left.image.write(0, Uint8Array.of(1));
    await left.image.flush();
    const crashed = await openImage(left.file);
    const before = file.toBytes();
    for (const [other, from, code] of [
      [larger.image, "from", "QCOW2_INVALID_ARGUMENT"],
      [crashed, "none", "QCOW2_BITMAP_NOT_FOUND"],
      [crashed, "from", "QCOW2_BITMAP_IN_USE"],
    ] as const) {
      await expect(image.mergeBitmap("to", from, { image: other })).rejects.toMatchObject({ code });
    }
    const unknown = image.mergeBitmap("none", "from", { image: left.image });
    await expect(unknown).rejects.toMatchObject({ code: "QCOW2_BITMAP_NOT_FOUND" });
    expect(file.toBytes()).toEqual(before);
  });

  it("adds what it marks, in the granularity of the bitmap that takes it", async () => {
    const { image } = await imageWith(2 ** 20, "to");
    const other = await imageWith(2 ** 20, "from");
    await image.write(0, Uint8Array.of(1));
    await other.image.write(5000, new Uint8Array(1000));
    await image.mergeBitmap("to", "from", { image: other.image });
    const found: number[][] = [];
    for await (const { start, length } of image.dirtyRanges("to")) found.push([start, length]);
    expect(found).toEqual([
      [0, 512],
      [4608, 1536],
    ]);
  });
});

describe.skipIf(!hasQemuImg)("a bitmap that is merged from another image", () => {
  it.for(["64k", "512", "128k"])("is what QEMU makes of it, with bits of %s", async (bits) => {
    using ours = temporaryFolder();
    using theirs = temporaryFolder();
    const at = (name: string) => join(ours.path, name);
    qemuImg(ours.path, "create", "-q", "-f", "qcow2", "-o", "cluster_size=4k", "s.qcow2", "9M");
    qemuImg(ours.path, "bitmap", "--add", "-g", "4k", "s.qcow2", "from");
    qemuIo(ours.path, "s.qcow2", "write -q 100k 9k", "write -q 5M 3M");
    qemuImg(ours.path, "create", "-q", "-f", "qcow2", "i.qcow2", "9M");
    qemuImg(ours.path, "bitmap", "--add", "-g", bits, "i.qcow2", "to");
    qemuIo(ours.path, "i.qcow2", "write -q 1M 1k");
    for (const name of ["s.qcow2", "i.qcow2"]) copyFileSync(at(name), join(theirs.path, name));
    {
      await using image = await openImageFile(at("i.qcow2"), { mode: "rw" });
      await using source = await openImageFile(at("s.qcow2"));
      await image.mergeBitmap("to", "from", { image: source });
    }
    qemuImg(
      theirs.path,
      "bitmap",
      "--merge",
      "from",
      "-b",
      "s.qcow2",
      "-F",
      "qcow2",
      "i.qcow2",
      "to",
    );
    const expected = await rangesOf(theirs.path, "to");
    expect(expected.length).toBe(3);
    expect(await rangesOf(ours.path, "to")).toEqual(expected);
    expect(qemuRangesOf(ours.path, "to")).toEqual(expected);
    expect(qemuVerdict(ours.path, "i.qcow2")).toBe("clean");
  });
});
