import { MemoryFile, observeFile } from "@box/io";
import { describeImage, openImage } from "@box/qcow2";
import { describe, expect, it } from "vitest";
import { snapshotImage } from "../../fixtures/features.ts";

const tables = [
  ["L1 table", 40],
  ["refcount table", 48],
  ["snapshot table", 64],
] as const;

describe("a table at a byte that no number can hold", () => {
  it.each(tables)("is refused before anything is read there: %s", async (_, field) => {
    for (const offset of [2n ** 53n, 2n ** 60n, 2n ** 63n - 65536n, 2n ** 64n - 65536n]) {
      let farthest = 0;
      const bytes = snapshotImage((view) => view.setBigUint64(field, offset));
      const file = observeFile(new MemoryFile(bytes), ({ offset: at, length }) => {
        farthest = Math.max(farthest, at + length);
      });
      const error = { code: "QCOW2_MISALIGNED", kind: "corrupt", offset: field };
      await expect(openImage(file, { compat: "qemu" })).rejects.toMatchObject(error);
      await expect(describeImage(file)).rejects.toMatchObject(error);
      expect(farthest).toBeLessThanOrEqual(65536);
    }
  });

  it("may be named when it has no entries", async () => {
    const bytes = snapshotImage((view) => {
      view.setUint32(60, 0);
      view.setBigUint64(64, 2n ** 62n);
    });
    expect((await describeImage(new MemoryFile(bytes))).snapshots).toEqual([]);
  });
});
