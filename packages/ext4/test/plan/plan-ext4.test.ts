import { FileTree, type PlanExt4Options, planExt4 } from "@box/ext4";
import { describe, expect, test } from "vitest";
import { sampleTree } from "../images/sample-tree.ts";
import { bytes, directory, file, symlink } from "../tree/nodes.ts";

const mebibyte = 2 ** 20;

/** A tree of one file of that size. */
function oneFile(sizeBytes: number): { tree: FileTree; node: number } {
  const tree = new FileTree();
  return { tree, node: tree.add(tree.root, bytes("f"), { ...file, sizeBytes }) };
}

describe("planExt4", () => {
  test("is as small as can be by default, and says so", () => {
    const plan = planExt4(sampleTree().tree);
    expect(plan.sizeBytes).toBe(plan.minimumSizeBytes);
    expect(plan.freeBytes).toBe(0);
    expect(plan.sizeBytes % 4096).toBe(0);
    expect(() => planExt4(sampleTree().tree, { sizeBytes: plan.sizeBytes - 4096 })).toThrow(
      expect.objectContaining({
        code: "EXT4_SIZE_TOO_SMALL",
        details: { minimumSizeBytes: plan.sizeBytes, sizeBytes: plan.sizeBytes - 4096 },
      }),
    );
    expect(planExt4(sampleTree().tree, { sizeBytes: plan.sizeBytes }).freeBytes).toBe(0);
  });

  test("needs 4 MiB less without a journal", () => {
    const { tree } = sampleTree();
    const difference =
      planExt4(tree).minimumSizeBytes - planExt4(tree, { journal: false }).minimumSizeBytes;
    expect(difference).toBe(4 * mebibyte);
  });

  test.each([1, 4096, 10_000_000, 1_000_000_000, 30_000_000_000])(
    "leaves at least %i bytes free when asked to, and less than a group more",
    (freeBytes) => {
      const plan = planExt4(sampleTree().tree, { freeBytes });
      expect(plan.freeBytes).toBeGreaterThanOrEqual(freeBytes);
      expect(plan.freeBytes).toBeLessThan(freeBytes + 128 * mebibyte);
    },
  );

  test("holds every size from the smallest on, whatever groups it has", () => {
    const { tree } = oneFile(120 * mebibyte);
    const { minimumSizeBytes } = planExt4(tree);
    for (let more = 0; more < 300 * mebibyte; more += 3 * mebibyte) {
      const plan = planExt4(tree, { sizeBytes: minimumSizeBytes + more });
      expect(plan.sizeBytes).toBe(minimumSizeBytes + more);
      expect(plan.freeBytes).toBeLessThanOrEqual(more);
    }
  });

  test("is the same for the same tree, and changes nothing in it", () => {
    const { tree, contents } = sampleTree();
    const places = (): unknown => {
      const plan = planExt4(tree);
      return [...contents.keys()].map((node) => [plan.inodeOf(node), plan.extents(node)]);
    };
    const before = tree.nodeCount;
    expect(places()).toEqual(places());
    expect(tree.nodeCount).toBe(before);
    expect(tree.lookup(tree.root, bytes("lost+found"))).toBeUndefined();
  });

  test("numbers inodes in the order of paths, whatever the order of making", () => {
    const tree = new FileTree();
    const z = tree.add(tree.root, bytes("z"), file);
    const b = tree.add(tree.root, bytes("b"), directory);
    const by = tree.add(b, bytes("y"), file);
    const bx = tree.add(b, bytes("x"), directory);
    const bxa = tree.add(bx, bytes("a"), file);
    const capital = tree.add(tree.root, bytes("Z"), symlink("b"));
    tree.link(tree.root, bytes("a"), by);
    const gone = tree.add(tree.root, bytes("gone"), file);
    tree.remove(tree.root, bytes("gone"));
    const plan = planExt4(tree);
    expect([tree.root, capital, by, b, bx, bxa, z, gone].map((n) => plan.inodeOf(n))).toEqual([
      2, 12, 13, 14, 15, 16, 17, 0,
    ]);
    expect(plan.usedInodes).toBe(17);
  });

  test("gives an own lost+found inode 11, with what it holds", () => {
    const tree = new FileTree();
    const found = tree.add(tree.root, bytes("lost+found"), { ...directory, mode: 0o700 });
    const inside = tree.add(found, bytes("#1"), file);
    const plan = planExt4(tree);
    expect([plan.inodeOf(found), plan.inodeOf(inside)]).toEqual([11, 12]);
  });

  test("counts times that no inode can hold", () => {
    const tree = new FileTree();
    for (const seconds of [-(2 ** 31) - 1, 0, 15_032_385_536]) {
      tree.add(tree.root, bytes(`t${seconds}`), { ...file, mtime: { seconds, nanoseconds: 0 } });
    }
    expect(planExt4(tree).clampedTimes).toBe(2);
  });

  test("keeps a file in one piece and cuts the last block at its end", () => {
    const { tree, node } = oneFile(10_000);
    const plan = planExt4(tree);
    expect(plan.extents(node)).toEqual([
      { fileOffset: 0, imageOffset: plan.sizeBytes - 3 * 4096, length: 10_000 },
    ]);
  });

  test("gives no places to empty files, holes, directories and the dead", () => {
    const tree = new FileTree();
    const empty = tree.add(tree.root, bytes("e"), file);
    const hole = tree.add(tree.root, bytes("h"), { ...file, sizeBytes: 1e9, dataRuns: [] });
    const gone = tree.add(tree.root, bytes("g"), { ...file, sizeBytes: 5 });
    tree.remove(tree.root, bytes("g"));
    const plan = planExt4(tree);
    expect([empty, hole, gone, tree.root].map((node) => plan.extents(node))).toEqual([
      [],
      [],
      [],
      [],
    ]);
  });

  test("joins ranges that share or touch a block", () => {
    const { tree, node } = oneFile(0);
    tree.setFileData(node, 100_000, [
      { offset: 100, length: 10 },
      { offset: 200, length: 5000 },
      { offset: 8192, length: 1 },
      { offset: 90_000, length: 10_000 },
    ]);
    const ranges = planExt4(tree)
      .extents(node)
      .map(({ fileOffset, length }) => [fileOffset, length]);
    expect(ranges).toEqual([
      [0, 12_288],
      [86_016, 100_000 - 86_016],
    ]);
  });

  test("breaks extents at 128 MiB and at tables, and keeps them apart", () => {
    const { tree, node } = oneFile(600 * mebibyte);
    const extents = planExt4(tree).extents(node);
    expect(extents.length).toBeGreaterThan(4);
    let fileOffset = 0;
    let end = 0;
    for (const extent of extents) {
      expect(extent.fileOffset).toBe(fileOffset);
      expect(extent.imageOffset).toBeGreaterThanOrEqual(end);
      expect(extent.length).toBeLessThanOrEqual(128 * mebibyte);
      fileOffset += extent.length;
      end = extent.imageOffset + extent.length;
    }
    expect(fileOffset).toBe(600 * mebibyte);
  });
});

describe("planExt4 refuses", () => {
  test.each([
    [{ sizeBytes: 1_000_000 }, "EXT4_BAD_OPTION"],
    [{ sizeBytes: -4096 }, "EXT4_BAD_OPTION"],
    [{ freeBytes: 0.5 }, "EXT4_BAD_OPTION"],
    [{ epochSeconds: 2 ** 32 }, "EXT4_BAD_OPTION"],
    [{ uuid: new Uint8Array(15) }, "EXT4_BAD_OPTION"],
    [{ hashSeed: new Uint8Array(17) }, "EXT4_BAD_OPTION"],
    [{ label: "é".repeat(9) }, "EXT4_BAD_OPTION"],
    [{ label: "a\0" }, "EXT4_BAD_OPTION"],
    [{ sizeBytes: 2 ** 44 }, "EXT4_TOO_LARGE"],
    [{ freeBytes: 2 ** 44 }, "EXT4_TOO_LARGE"],
    [{ freeBytes: 2 ** 44 - 10 * 4096 }, "EXT4_TOO_LARGE"],
  ] as [PlanExt4Options, string][])("%j", (options, code) => {
    expect(() => planExt4(new FileTree(), options)).toThrow(expect.objectContaining({ code }));
  });

  test("files that together pass 16 TiB", () => {
    const { tree } = oneFile((2 ** 32 - 1) * 4096);
    expect(() => planExt4(tree)).toThrow(expect.objectContaining({ code: "EXT4_TOO_LARGE" }));
  });

  test("a lost+found that is no directory", () => {
    const tree = new FileTree();
    tree.add(tree.root, bytes("lost+found"), file);
    expect(() => planExt4(tree)).toThrow(
      expect.objectContaining({ code: "EXT4_BAD_LOST_AND_FOUND", kind: "unsupported" }),
    );
  });

  test("attributes whose names alone fill a block", () => {
    const tree = new FileTree();
    const xattrs = Array.from({ length: 16 }, (_, i) => ({
      name: bytes(`user.${String(i).padStart(240, "x")}`),
      value: bytes(""),
    }));
    tree.add(tree.root, bytes("f"), { ...file, xattrs });
    expect(() => planExt4(tree)).toThrow(expect.objectContaining({ code: "EXT4_XATTR_TOO_LARGE" }));
  });
});
