import { MemoryFile } from "@box/io";
import {
  createImage,
  describeImage,
  openImage,
  type QemuMapEntry,
  toQemuInfo,
  toQemuMap,
} from "@box/qcow2";
import { describe, expect, it } from "vitest";
import { edit, withU32, withU64 } from "../../fixtures/build.ts";
import { bitmapImage, snapshotImage } from "../../fixtures/features.ts";

const filename = "i.qcow2";

async function infoOf(bytes: Uint8Array): Promise<ReturnType<typeof toQemuInfo>> {
  return toQemuInfo(await describeImage(new MemoryFile(bytes)), { filename });
}

describe("toQemuInfo", () => {
  it("names the legacy encryption", async () => {
    const { encrypted, "format-specific": specific } = await infoOf(withU32(32, 1));
    expect(encrypted).toBe(true);
    expect(specific).toMatchObject({ data: { encrypt: { format: "aes" } } });
  });

  it("gives sizes above 2^53 exactly, and whole sectors of an odd one", async () => {
    const large = withU64(24, 2n ** 61n + 512n);
    edit(large).setUint32(36, 0);
    const description = await describeImage(new MemoryFile(withU64(24, 2n ** 29n + 511n)));
    expect(toQemuInfo(description, { filename })["virtual-size"]).toBe(2 ** 29);
    const exact = { ...description, info: { ...description.info, virtualSizeBytes: 2n ** 61n } };
    expect(toQemuInfo(exact, { filename })["virtual-size"]).toBe(2n ** 61n);
  });

  it.each([
    [2n ** 64n - 1n, undefined],
    [0n, 0],
    [2n ** 53n, 2n ** 53n],
    [12345n, 12345],
  ])("shows an instruction count that is known: %d", async (icount, shown) => {
    const bytes = snapshotImage((view, table) => view.setBigUint64(table + 56, icount));
    const { snapshots } = await infoOf(bytes);
    const [snapshot] = snapshots as unknown as Record<string, unknown>[];
    expect(snapshot?.["icount"]).toBe(shown);
  });

  it.each([
    [0, []],
    [1, ["in-use"]],
    [2, ["auto"]],
    [3, ["in-use", "auto"]],
  ])("shows the flags %i of a bitmap", async (flags, shown) => {
    const bytes = bitmapImage((view, directory) => view.setUint32(directory + 12, flags));
    expect(await infoOf(bytes)).toMatchObject({
      "format-specific": { data: { bitmaps: [{ name: "bits", flags: shown }] } },
    });
  });
});

describe("toQemuMap", () => {
  async function mapOf(virtualSizeBytes: number, written: readonly number[]) {
    const file = new MemoryFile();
    await createImage(file, { virtualSizeBytes, clusterSizeBytes: 4096 });
    await using image = await openImage(file, { mode: "rw" });
    for (const cluster of written) {
      await image.write(cluster * 4096, new Uint8Array(4096).fill(1));
    }
    return await toQemuMap(image);
  }

  it("has one element for a disk of no bytes, and for one of less than a sector", async () => {
    const empty: QemuMapEntry[] = [
      { start: 0, length: 0, depth: 0, present: false, zero: false, data: false },
    ];
    expect(await mapOf(0, [])).toEqual(empty);
  });

  it("joins what is stored in one piece, and nothing else", async () => {
    const together = await mapOf(16 * 4096, [0, 1, 2]);
    expect(together).toMatchObject([
      { start: 0, length: 3 * 4096, data: true },
      { start: 3 * 4096, length: 13 * 4096, data: false, present: false },
    ]);
    const apart = await mapOf(16 * 4096, [1, 0, 2]);
    expect(apart.map(({ start, length }) => [start / 4096, length / 4096])).toEqual([
      [0, 1],
      [1, 1],
      [2, 1],
      [3, 13],
    ]);
  });
});
