import { join } from "node:path";
import { openFile } from "@box/io/node";
import { checkImage, openImage, type Qcow2Image } from "@box/qcow2";
import { openImageFile } from "@box/qcow2/node";
import { describe, expect, it } from "vitest";
import { listOf, qemuRangesOf, rangesOf } from "../support/bitmap-ranges.ts";
import { hasQemuImg, qemuImg, qemuIo, qemuVerdict, temporaryFolder } from "../support/qemu.ts";

const layouts = [
  "cluster_size=512",
  "cluster_size=4k",
  "cluster_size=64k",
  "extended_l2=on",
  "cluster_size=2M",
];

async function change(folder: string, run: (image: Qcow2Image) => Promise<void>): Promise<void> {
  await using image = await openImageFile(join(folder, "i.qcow2"), { mode: "rw" });
  await run(image);
}

async function requireClean(folder: string): Promise<void> {
  expect(qemuVerdict(folder, "i.qcow2")).toBe("clean");
  await using file = await openFile(join(folder, "i.qcow2"));
  expect((await checkImage(file)).findings).toEqual([]);
}

describe.skipIf(!hasQemuImg)("bitmaps that are made and written here, as QEMU sees them", () => {
  it.for(layouts)(
    "%s: listed, of the right bits, recorded on, cleared and removed",
    async (options) => {
      using folder = temporaryFolder();
      const { path } = folder;
      qemuImg(path, "create", "-q", "-f", "qcow2", "-o", options, "i.qcow2", "9M");
      await change(path, async (image) => {
        await image.write(0, new Uint8Array(200_000).fill(1));
        await image.addBitmap("fine", { granularityBytes: 512 });
        await image.addBitmap("plain");
        await image.addBitmap("off", { isEnabled: false });
        await image.write(1000, new Uint8Array(5000).fill(2));
        await image.writeZeroes(3_000_000, 70_000);
        await image.discard(8 * 2 ** 20, 2 ** 20);
      });
      await requireClean(path);
      const cluster = JSON.parse(qemuImg(path, "info", "--output=json", "i.qcow2"))["cluster-size"];
      expect(listOf(path)).toEqual([
        { flags: ["auto"], name: "fine", granularity: 512 },
        { flags: ["auto"], name: "plain", granularity: Math.min(65536, Math.max(4096, cluster)) },
        { flags: [], name: "off", granularity: Math.min(65536, Math.max(4096, cluster)) },
      ]);
      for (const name of ["fine", "plain", "off"]) {
        expect(qemuRangesOf(path, name)).toEqual(await rangesOf(path, name));
      }
      qemuIo(path, "i.qcow2", "write -q -P 3 5M 3000");
      expect((await rangesOf(path, "fine")).length).toBe(4);
      expect(await rangesOf(path, "fine")).toEqual(qemuRangesOf(path, "fine"));
      qemuImg(path, "bitmap", "--merge", "fine", "i.qcow2", "off");
      qemuImg(path, "bitmap", "--clear", "i.qcow2", "fine");
      qemuImg(path, "bitmap", "--remove", "i.qcow2", "plain");
      expect(await rangesOf(path, "fine")).toEqual([]);
      expect((await rangesOf(path, "off")).length).toBe(4);
      await requireClean(path);
    },
  );
});

describe.skipIf(!hasQemuImg)("bitmaps that QEMU made, changed here", () => {
  it.for(layouts)(
    "%s: read, recorded on, merged, cleared, disabled and removed",
    async (options) => {
      using folder = temporaryFolder();
      const { path } = folder;
      qemuImg(path, "create", "-q", "-f", "qcow2", "-o", options, "i.qcow2", "9M");
      qemuImg(path, "bitmap", "--add", "-g", "512", "i.qcow2", "a");
      qemuImg(path, "bitmap", "--add", "-g", "64k", "i.qcow2", "b");
      qemuIo(path, "i.qcow2", "write -q -P 1 1000 5000", "write -q -P 1 0 9M", "write -q -z 5M 1M");
      expect(await rangesOf(path, "a")).toEqual([[0, 9 * 2 ** 20]]);
      await change(path, (image) => image.clearBitmap("a"));
      qemuIo(path, "i.qcow2", "write -q -P 1 7M 1000");
      await change(path, (image) => image.write(100_000, new Uint8Array(1000).fill(1)));
      expect(await rangesOf(path, "a")).toEqual(qemuRangesOf(path, "a"));
      expect((await rangesOf(path, "a")).length).toBe(2);
      await change(path, async (image) => {
        await image.clearBitmap("b");
        await image.mergeBitmap("b", "a");
        await image.disableBitmap("b");
        await image.write(5 * 2 ** 20, Uint8Array.of(1));
      });
      expect(await rangesOf(path, "b")).toEqual([
        [65_536, 65_536],
        [7 * 2 ** 20, 65_536],
      ]);
      expect(qemuRangesOf(path, "b")).toEqual(await rangesOf(path, "b"));
      expect(listOf(path).map(({ flags }) => flags)).toEqual([["auto"], []]);
      await change(path, (image) => image.enableBitmap("b"));
      expect(listOf(path).map(({ flags }) => flags)).toEqual([["auto"], ["auto"]]);
      await change(path, async (image) => {
        await image.removeBitmap("a");
        await image.removeBitmap("b");
      });
      expect(listOf(path)).toEqual([]);
      await requireClean(path);
    },
  );

  it("stay in use when a writer does not close the image: QEMU does not rely on them either", async () => {
    using folder = temporaryFolder();
    const { path } = folder;
    qemuImg(path, "create", "-q", "-f", "qcow2", "i.qcow2", "9M");
    qemuImg(path, "bitmap", "--add", "i.qcow2", "a");
    await using file = await openFile(join(path, "i.qcow2"), { mode: "rw" });
    const image = await openImage(file, { mode: "rw" });
    await image.write(0, Uint8Array.of(1));
    await image.flush();
    expect(listOf(path)).toMatchObject([{ name: "a", flags: ["in-use", "auto"] }]);
    expect(() => qemuImg(path, "bitmap", "--clear", "i.qcow2", "a")).toThrow("inconsistent");
    expect(qemuVerdict(path, "i.qcow2")).toBe("clean");
    await image.close();
    expect(listOf(path)).toMatchObject([{ name: "a", flags: ["auto"] }]);
    expect(qemuRangesOf(path, "a")).toEqual([[0, 65_536]]);
  });
});
