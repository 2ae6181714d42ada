import { join } from "node:path";
import { MemoryFile } from "@box/io";
import { createImage, findByName, openImage, type Qcow2Image } from "@box/qcow2";
import { openImageFile } from "@box/qcow2/node";
import { describe, expect, it } from "vitest";
import { hasQemuImg, qemuImg, temporaryFolder } from "./support/qemu.ts";

/** Names of which not all is shown: joiners, a soft hyphen, private use, control characters. */
const oddNames = [
  "\u{1F468}\u200D\u{1F469}\u200D\u{1F467}",
  "\u0645\u06CC\u200C\u062E\u0648\u0627\u0647\u0645",
  "soft\u00ADhyphen",
  "private\uE000",
  "tab\there",
  "line\nbreak",
] as const;

async function emptyImage(): Promise<{ image: Qcow2Image }> {
  const file = new MemoryFile();
  await createImage(file, { virtualSizeBytes: 2 ** 20 });
  return { image: await openImage(file, { mode: "rw" }) };
}

async function startsOf(image: Qcow2Image, name: Uint8Array | string): Promise<number[]> {
  const starts: number[] = [];
  for await (const { start } of image.dirtyRanges(name)) starts.push(start);
  return starts;
}

describe("a bitmap or snapshot with a name of which not all is shown", () => {
  it.each(oddNames)("is found under it: %j", async (name) => {
    const { image } = await emptyImage();
    await image.addBitmap(name);
    await image.write(65536, new Uint8Array(512).fill(1));
    expect(await startsOf(image, name)).toEqual([65536]);
    await image.disableBitmap(name);
    await image.enableBitmap(name);
    await image.addBitmap("copy");
    await image.mergeBitmap("copy", name);
    expect(await startsOf(image, "copy")).toEqual([65536]);
    await image.clearBitmap(name);
    expect(await startsOf(image, name)).toEqual([]);
    await image.removeBitmap(name);
    await image.removeBitmap("copy");
    expect(await image.bitmaps()).toEqual([]);

    const { id } = await image.createSnapshot(name, { date: new Date(0) });
    await image.write(65536, new Uint8Array(512).fill(2));
    const snapshot = await image.openSnapshot(name);
    expect((await snapshot.read(65536, 1))[0]).toBe(1);
    await image.applySnapshot(name);
    expect((await image.read(65536, 1))[0]).toBe(1);
    expect(findByName(await image.snapshots(), name)?.id).toBe(id);
    await image.deleteSnapshot(name);
    expect(await image.snapshots()).toEqual([]);
  });

  it("is found by its bytes, also when they are no text", async () => {
    const { image } = await emptyImage();
    const name = Uint8Array.of(0xff, 0x41);
    await image.addBitmap(name);
    await image.createSnapshot(name, { date: new Date(0) });
    expect(await startsOf(image, name)).toEqual([]);
    expect(await startsOf(image, "\uFFFDA")).toEqual([]);
    await expect(image.addBitmap(name)).rejects.toMatchObject({ code: "QCOW2_BITMAP_EXISTS" });
    await image.deleteSnapshot(name);
    await image.removeBitmap(name);
    expect((await image.describe()).bitmaps).toEqual([]);
  });

  it("is not taken for another that looks the same", async () => {
    const { image } = await emptyImage();
    const [first, second, shown] = ["a\u200Cb", "a\u200Db", "a\uFFFDb"] as const;
    const date = new Date(0);
    for (const name of [first, second]) {
      await image.addBitmap(name);
      await image.createSnapshot(name, { date });
    }
    await expect(image.removeBitmap(shown)).rejects.toMatchObject({
      code: "QCOW2_BITMAP_NOT_FOUND",
    });
    await expect(image.deleteSnapshot(shown)).rejects.toMatchObject({
      code: "QCOW2_SNAPSHOT_NOT_FOUND",
    });
    await expect(image.openSnapshot(shown)).rejects.toMatchObject({
      code: "QCOW2_SNAPSHOT_NOT_FOUND",
    });
    await image.removeBitmap(second);
    await image.deleteSnapshot(second);
    const { bitmaps, snapshots } = await image.describe();
    expect(bitmaps.map(({ nameBytes }) => nameBytes)).toEqual([new TextEncoder().encode(first)]);
    expect(snapshots.map(({ nameBytes }) => nameBytes)).toEqual([new TextEncoder().encode(first)]);
    await image.removeBitmap(shown);
    await image.deleteSnapshot(shown);
    expect((await image.describe()).bitmaps).toEqual([]);
  });

  it("is the first of those whose bytes are the same", async () => {
    const { image } = await emptyImage();
    const date = new Date(0);
    const first = await image.createSnapshot("twice", { date });
    await image.createSnapshot("twice", { date });
    await image.deleteSnapshot("twice");
    expect((await image.snapshots()).map(({ id }) => id)).not.toContain(first.id);
  });

  it.skipIf(!hasQemuImg).each(oddNames)("is QEMU's too: %j", async (name) => {
    using folder = temporaryFolder();
    const path = join(folder.path, "i.qcow2");
    qemuImg(folder.path, "create", "-q", "-f", "qcow2", path, "1M");
    qemuImg(folder.path, "snapshot", "-c", name, path);
    qemuImg(folder.path, "bitmap", "--add", path, name);
    await using image = await openImageFile(path, { mode: "rw" });
    expect(await startsOf(image, name)).toEqual([]);
    await image.removeBitmap(name);
    await image.deleteSnapshot(name);
    const { bitmaps, snapshots } = await image.describe();
    expect([bitmaps, snapshots]).toEqual([[], []]);
  });
});
