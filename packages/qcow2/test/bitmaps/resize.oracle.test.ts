import { copyFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { openFile } from "@box/io/node";
import { checkImage, openImage } from "@box/qcow2";
import { openImageFile } from "@box/qcow2/node";
import { describe, expect, it } from "vitest";
import { listOf, qemuRangesOf, rangesOf } from "../support/bitmap-ranges.ts";
import { hasQemuImg, qemuImg, qemuIo, qemuVerdict, temporaryFolder } from "../support/qemu.ts";

const layouts = ["cluster_size=512", "cluster_size=64k", "extended_l2=on", "cluster_size=2M"];
const bitmaps = ["fine", "coarse", "off"];
const startBytes = 9_437_696;
const sizes = [3_000_832, 9_437_184, 31_000_064];

/** An image with bitmaps, made by QEMU. */
function makeImage(folder: string, options: string): void {
  qemuImg(folder, "create", "-q", "-f", "qcow2", "-o", options, "i.qcow2", String(startBytes));
  qemuImg(folder, "bitmap", "--add", "-g", "512", "i.qcow2", "fine");
  qemuImg(folder, "bitmap", "--add", "-g", "64k", "i.qcow2", "coarse");
  qemuImg(folder, "bitmap", "--add", "-g", "512", "--disable", "i.qcow2", "off");
  qemuIo(
    folder,
    "i.qcow2",
    "write -q -P 1 1000 5000",
    "write -q -z 2900k 300k",
    "write -q 9100k 50k",
  );
  qemuImg(folder, "bitmap", "--merge", "fine", "i.qcow2", "off");
}

async function resizeHere(folder: string, sizeBytes: number): Promise<void> {
  await using image = await openImageFile(join(folder, "i.qcow2"), { mode: "rw" });
  await image.resize(sizeBytes, { shrink: true });
}

function resizeThere(folder: string, sizeBytes: number): void {
  qemuImg(folder, "resize", "-q", "--shrink", "-f", "qcow2", "i.qcow2", String(sizeBytes));
}

async function requireClean(folder: string): Promise<void> {
  expect(qemuVerdict(folder, "i.qcow2")).toBe("clean");
  await using file = await openFile(join(folder, "i.qcow2"));
  expect((await checkImage(file)).findings).toEqual([]);
}

describe.skipIf(!hasQemuImg).for(layouts)(
  "the bitmaps of a disk that is resized: %s",
  (options) => {
    it("are what QEMU makes of them, and QEMU reads them so", async () => {
      using folder = temporaryFolder();
      const [ours, theirs] = [join(folder.path, "o"), join(folder.path, "t")];
      for (const path of [ours, theirs]) mkdirSync(path);
      makeImage(ours, options);
      for (const sizeBytes of [...sizes, startBytes]) {
        copyFileSync(join(ours, "i.qcow2"), join(theirs, "i.qcow2"));
        await resizeHere(ours, sizeBytes);
        resizeThere(theirs, sizeBytes);
        await requireClean(ours);
        expect(listOf(ours)).toEqual(listOf(theirs));
        for (const name of bitmaps) {
          const expected = await rangesOf(theirs, name);
          expect(expected.length).toBeGreaterThan(0);
          expect(await rangesOf(ours, name)).toEqual(expected);
        }
        expect(qemuRangesOf(ours, "fine")).toEqual(await rangesOf(ours, "fine"));
        qemuIo(ours, "i.qcow2", `write -q -P 2 ${sizeBytes - 1000} 1000`, "write -q 70k 1k");
      }
    });

    it("are recorded on here and there afterwards", async () => {
      using folder = temporaryFolder();
      const { path } = folder;
      makeImage(path, options);
      await resizeHere(path, 12_000_256);
      qemuIo(path, "i.qcow2", "write -q 11M 1k");
      {
        await using image = await openImageFile(join(path, "i.qcow2"), { mode: "rw" });
        await image.write(10 * 2 ** 20, new Uint8Array(600));
        await image.resize(11 * 2 ** 20 + 512, { shrink: true });
        await image.write(2 ** 20, Uint8Array.of(1));
      }
      const found = await rangesOf(path, "fine");
      expect(found).toEqual(qemuRangesOf(path, "fine"));
      for (const range of [
        [2 ** 20, 512],
        [10 * 2 ** 20, 1024],
        [11 * 2 ** 20, 512],
      ]) {
        expect(found).toContainEqual(range);
      }
      await requireClean(path);
    });

    it("are refused in use by both", async () => {
      using folder = temporaryFolder();
      const { path } = folder;
      makeImage(path, options);
      await using file = await openFile(join(path, "i.qcow2"), { mode: "rw" });
      // The flags of the first entry: in use, as after a crash.
      const { info } = await openImage(file);
      await file.write?.((info.bitmaps?.offset ?? 0) + 12, Uint8Array.of(0, 0, 0, 3));
      expect(() => resizeThere(path, startBytes + 512)).toThrow(/fine/);
      await expect(resizeHere(path, startBytes + 512)).rejects.toMatchObject({
        code: "QCOW2_BITMAP_IN_USE",
      });
    });
  },
);
