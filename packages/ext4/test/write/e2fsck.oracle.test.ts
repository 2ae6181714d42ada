import { rmSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";
import { FileTree, type PlanExt4Options, readExt4, verifyExt4 } from "@box/ext4";
import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { writeImage } from "../images/build.ts";
import { DiskFile } from "../images/disk-file.ts";
import {
  checkImage,
  cleanReport,
  debugfs,
  has,
  hasE2fsprogs,
  needsE2fsprogs,
  run,
} from "../images/oracles.ts";
import { randomTrees } from "../images/random-tree.ts";
import { pattern, sampleTree } from "../images/sample-tree.ts";
import { shapeOfImage, shapeOfTree } from "../images/tree-shape.ts";
import { bytes, directory, file, symlink } from "../tree/nodes.ts";

const gibibyte = 2 ** 30;
vi.setConfig({ testTimeout: 60_000 });

async function expectClean(disk: DiskFile): Promise<void> {
  const { status, report } = checkImage(disk.path);
  expect(report).toMatch(cleanReport);
  expect(status).toBe(0);
}

describe.skipIf(!hasE2fsprogs)(needsE2fsprogs("e2fsck finds nothing in"), () => {
  test.each([
    ["as small as can be", {}],
    ["without a journal", { journal: false }],
    ["with some space", { freeBytes: 10_000_000 }],
    ["of one group", { sizeBytes: 2 ** 27 }],
    ["with a last group that is too short to use", { sizeBytes: 2 ** 27 + 4096 }],
    ["with a short last group", { sizeBytes: 2 ** 27 + 2 ** 23 }],
    ["of seventeen groups", { sizeBytes: 2 ** 31 + 2 ** 23 }],
    ["with more than one block of descriptors", { sizeBytes: 9 * gibibyte }],
    ["of a hundred gibibytes", { sizeBytes: 100 * gibibyte, label: "hundred", epochSeconds: 1e9 }],
  ] as [string, PlanExt4Options][])("one of everything, %s", async (_, options) => {
    const disk = new DiskFile();
    const { tree, contents } = sampleTree();
    await writeImage(tree, disk, options, contents);
    await expectClean(disk);
    disk.close();
  });

  // 2310-04-04 to 2378-04-22: kernels before 3.14 wrote times before 1970 like that, and e2fsck asks to change them.
  const isDoubted = (seconds: number): boolean => seconds >= 2.5 * 2 ** 32 && seconds < 3 * 2 ** 32;

  test("a time after 2310 but that it may have been meant for one before 1970", async () => {
    const tree = new FileTree();
    const mtime = { seconds: 2.5 * 2 ** 32, nanoseconds: 7 };
    const disk = new DiskFile();
    tree.add(tree.root, bytes("f"), { ...file, mtime });
    await writeImage(tree, disk);
    const doubt = /Timestamp\(s\) on inode 12 beyond 2310-04-04 are likely pre-1970.\nFix\? no\n\n/;
    const { report } = checkImage(disk.path);
    expect(report).toMatch(doubt);
    expect(report.replace(doubt, "")).toMatch(cleanReport);
    expect(debugfs(disk.path, "stat /f")).toMatch(/mtime: 0x80000000:0000001f -- .* 2310/);
    disk.close();
  });

  test.each([1, 7, 59, 60])(
    "a symlink of %i bytes with an attribute that has an inode of its own",
    async (length) => {
      const tree = new FileTree();
      const xattrs = [{ name: bytes("trusted.large"), value: new Uint8Array(5000).fill(7) }];
      tree.add(tree.root, bytes("f"), { ...file, xattrs });
      tree.add(tree.root, bytes("s"), { ...symlink("t".repeat(length)), xattrs });
      const disk = new DiskFile();
      await writeImage(tree, disk);
      await expectClean(disk);
      const reader = await readExt4(disk);
      for await (const { path, attributes } of reader.walk()) {
        if (path.byteLength === 1) expect(attributes.xattrs).toEqual(xattrs);
      }
      disk.close();
    },
  );

  test("any tree, of any size, with or without a journal", async () => {
    const options = fc.record({
      journal: fc.boolean(),
      freeBytes: fc.oneof(fc.constant(0), fc.nat(2 ** 29)),
      epochSeconds: fc.nat(1_700_000_000),
    });
    await fc.assert(
      fc.asyncProperty(
        randomTrees((seconds) => !isDoubted(seconds)),
        options,
        async ({ tree, contents }, chosen) => {
          const disk = new DiskFile();
          await writeImage(tree, disk, chosen, contents);
          await expectClean(disk);
          disk.close();
          rmSync(disk.path);
        },
      ),
      { numRuns: 60 },
    );
  });

  test.each([50, 100, 340, 400, 60_000])("a directory of %i names", async (count) => {
    const tree = new FileTree();
    const node = tree.add(tree.root, bytes("f"), file);
    const many = tree.add(tree.root, bytes("many"), directory);
    for (let i = 0; i < count; i++) {
      tree.link(many, bytes(`${i}-${"é".repeat(i % 100)}-long enough to fill blocks`), node);
    }
    const disk = new DiskFile();
    await writeImage(tree, disk);
    await expectClean(disk);
    disk.close();
  });

  test("a directory whose index has two levels", async () => {
    const tree = new FileTree();
    const many = tree.add(tree.root, bytes("many"), directory);
    for (let i = 0; i < 10_000; i++) tree.add(many, bytes(`${i}`.padStart(250, "-")), file);
    const disk = new DiskFile();
    await writeImage(tree, disk, { journal: false });
    await expectClean(disk);
    expect(debugfs(disk.path, "htree /many")).toContain("Indirect levels: 1");
    disk.close();
  });

  test("a file with 65,000 names", async () => {
    const tree = new FileTree();
    const node = tree.add(tree.root, bytes("0"), file);
    for (let i = 1; i < 65_000; i++) tree.link(tree.root, bytes(`${i}`), node);
    expect(() => tree.link(tree.root, bytes("more"), node)).toThrow("more than 65000 names");
    const disk = new DiskFile();
    await writeImage(tree, disk);
    await expectClean(disk);
    expect(debugfs(disk.path, "stat /0")).toContain("Links: 65000");
    disk.close();
  });

  test.each([
    [64_998, 65_000],
    [64_999, 1],
  ])("a directory of %i directories, which has %i links", async (count, links) => {
    const tree = new FileTree();
    const parent = tree.add(tree.root, bytes("d"), directory);
    for (let i = 0; i < count; i++) tree.add(parent, bytes(`${i}`), directory);
    const disk = new DiskFile();
    await writeImage(tree, disk, { journal: false });
    await expectClean(disk);
    expect(debugfs(disk.path, "stat /d")).toContain(`Links: ${links} `);
    disk.close();
  });

  test.each([
    ["one level", 50 * gibibyte, undefined],
    ["two levels", 6_000 * 8192, 6_000],
  ])("a file whose extents need a tree of %s", async (_, sizeBytes, ranges) => {
    const tree = new FileTree();
    const runs = Array.from({ length: ranges ?? 0 }, (_unused, i) => ({
      offset: i * 8192,
      length: 1,
    }));
    const node = tree.add(tree.root, bytes("f"), file);
    tree.setFileData(node, sizeBytes, ranges === undefined ? undefined : runs);
    const disk = new DiskFile();
    const plan = await writeImage(tree, disk);
    const last = plan.extents(node).at(-1);
    await disk.write(last?.imageOffset ?? 0, bytes("the end"));
    await expectClean(disk);
    const shown = debugfs(disk.path, "ex /f");
    expect(shown).toContain(ranges === undefined ? " 1/ 1 " : " 2/ 2 ");
    disk.close();
  });

  test("a directory chain of two thousand levels, and one with its own lost+found", async () => {
    const tree = new FileTree();
    let at = tree.add(tree.root, bytes("lost+found"), directory);
    for (let i = 0; i < 2000; i++) at = tree.add(at, bytes("d"), directory);
    const disk = new DiskFile();
    await writeImage(tree, disk);
    await expectClean(disk);
    disk.close();
  });

  test("more inodes than the groups would usually have", async () => {
    const tree = new FileTree();
    for (let d = 0; d < 40; d++) {
      const parent = tree.add(tree.root, bytes(`d${d}`), directory);
      for (let i = 0; i < 1000; i++) tree.add(parent, bytes(`${i}`), file);
    }
    const disk = new DiskFile();
    await writeImage(tree, disk);
    await expectClean(disk);
    disk.close();
  });
});

describe.skipIf(!hasE2fsprogs || !has("resize2fs"))(needsE2fsprogs("resize2fs"), () => {
  test.each([
    ["from the smallest", {}, 3 * gibibyte],
    ["past one block of descriptors", { sizeBytes: gibibyte }, 20 * gibibyte],
    ["without a journal", { journal: false, sizeBytes: 2 ** 27 }, 2 ** 27 * 40],
  ] as [string, PlanExt4Options, number][])("grows a file system %s", async (_, options, size) => {
    const disk = new DiskFile();
    const { tree, contents } = sampleTree();
    await writeImage(tree, disk, options, contents);
    await disk.truncate(size);
    const grown = run("resize2fs", [disk.path]);
    expect(grown.stderr).not.toContain("Please run");
    expect(grown.status).toBe(0);
    await expectClean(disk);
    expect(debugfs(disk.path, "stats")).toContain(`Block count:              ${size / 4096}`);
    disk.close();
  });

  test("grows a file system of 12,000 files over 30 groups, and leaves every file as it was", async () => {
    const { tree, contents: sample } = sampleTree();
    const contents = new Map(sample);
    for (let d = 0; d < 12; d++) {
      const parent = tree.add(tree.root, bytes(`d${d}`), directory);
      for (let i = 0; i < 1000; i++) {
        const content = i % 10 === 0 ? pattern(i * 7, d) : new Uint8Array(0);
        const attributes = { ...file, sizeBytes: content.byteLength };
        contents.set(tree.add(parent, bytes(`file ${i}`), attributes), content);
      }
    }
    const disk = new DiskFile();
    const plan = await writeImage(tree, disk, {}, contents);
    expect(plan.usedInodes).toBeGreaterThan(12_000);
    const size = 30 * 2 ** 27;
    await disk.truncate(size);
    expect(run("resize2fs", [disk.path]).status).toBe(0);
    await expectClean(disk);
    const reader = await readExt4(disk);
    expect(reader.summary.sizeBytes).toBe(size);
    expect(reader.summary.freeBytes).toBeGreaterThan(size * 0.9);
    const found = await shapeOfImage(reader, false);
    const expected = shapeOfTree(tree, contents);
    const paths = Object.keys(expected);
    expect(Object.keys(found)).toEqual(paths);
    // Path by path: a difference between two objects of 12,000 would take minutes to print.
    expect(paths.filter((path) => !isDeepStrictEqual(found[path], expected[path]))).toEqual([]);
    expect((await verifyExt4(disk)).findings).toEqual([]);
    disk.close();
  });
});
