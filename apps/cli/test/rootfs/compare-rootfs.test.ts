import { type DataRun, type Ext4Reader, FileTree, planExt4, readExt4, writeExt4 } from "@box/ext4";
import { MemoryFile, type RandomAccess } from "@box/io";
import { describe, expect, test } from "vitest";
import { compareRootfs } from "../../src/rootfs/compare-rootfs.ts";

describe("comparing files", () => {
  test("stops when it is told to, also where all is in memory", async () => {
    const tree = new FileTree();
    const time = { seconds: 0, nanoseconds: 0 };
    const file = {
      type: "file",
      mode: 0o644,
      uid: 0,
      gid: 0,
      mtime: time,
      sizeBytes: 2 ** 16,
    } as const;
    for (let i = 0; i < 50; i++) {
      tree.add(tree.root, Buffer.from(`${i}`), { ...file, xattrs: [], dataRuns: [] });
    }
    const image = new MemoryFile();
    await writeExt4(planExt4(tree), image);
    const controller = new AbortController();
    const comparing = compareRootfs(
      await readExt4(image),
      await readExt4(image),
      controller.signal,
    );
    setImmediate(() => controller.abort(new Error("stopped")));
    await expect(comparing).rejects.toThrow("stopped");
  });

  test("reads what is data in either of them once", async () => {
    const time = { seconds: 0, nanoseconds: 0 };
    const make = async (dataRuns: DataRun[]): Promise<RandomAccess> => {
      const tree = new FileTree();
      const attributes = { type: "file", mode: 0o644, uid: 0, gid: 0, mtime: time } as const;
      const sizeBytes = 2 ** 23;
      tree.add(tree.root, Buffer.from("f"), { ...attributes, xattrs: [], sizeBytes, dataRuns });
      const image = new MemoryFile();
      await writeExt4(planExt4(tree), image);
      return image;
    };
    const read = [0, 0];
    const open = async (index: number, dataRuns: DataRun[]): Promise<Ext4Reader> => {
      const image = await make(dataRuns);
      return readExt4({
        size: () => image.size(),
        read: (offset, length) => {
          read[index] = (read[index] ?? 0) + (length >= 2 ** 16 ? length : 0);
          return image.read(offset, length);
        },
      });
    };
    const a = await open(0, [{ offset: 0, length: 2 ** 23 }]);
    const b = await open(1, [
      { offset: 2 ** 20, length: 2 ** 20 },
      { offset: 2 ** 22, length: 2 ** 21 },
    ]);
    const { signal } = new AbortController();
    expect(await compareRootfs(a, b, signal)).toEqual([]);
    expect(await compareRootfs(b, a, signal)).toEqual([]);
    expect(read).toEqual([2 * 2 ** 23, 2 * 3 * 2 ** 20]);
  });
});
