import { type Ext4Reader, FileTree, readExt4 } from "@box/ext4";
import { MemoryFile } from "@box/io";
import { beforeAll, describe, expect, test } from "vitest";
import { imageBytes } from "../images/build.ts";
import { sampleTree } from "../images/sample-tree.ts";
import { shapeOfImage, shapeOfTree } from "../images/tree-shape.ts";
import { bytes, directory, file, symlink, text } from "../tree/nodes.ts";

async function open(tree: FileTree): Promise<Ext4Reader> {
  return readExt4(new MemoryFile(await imageBytes(tree)));
}

const code = (name: string): unknown => expect.objectContaining({ code: name });

describe("readExt4", () => {
  test("finds everything as it was given to the writer", async () => {
    const { tree, contents } = sampleTree();
    const reader = await readExt4(new MemoryFile(await imageBytes(tree, {}, contents)));
    expect(await shapeOfImage(reader, false)).toEqual(shapeOfTree(tree, contents));
  });

  test("finds every name of a large directory", async () => {
    const tree = new FileTree();
    const names = Array.from({ length: 2000 }, (_, i) => `${i}-${"é".repeat(i % 50)}`);
    for (const name of names) tree.add(tree.root, bytes(name), file);
    const reader = await open(tree);
    const found: string[] = [];
    for await (const { name } of reader.readdir(reader.root)) found.push(text(name));
    expect(found.sort()).toEqual([...names, "lost+found"].sort());
    expect(await reader.lookup(bytes("1999-"))).toBeUndefined();
    expect(await reader.lookup(bytes(names[1999] as string))).toBeDefined();
  });

  test("says what the file system says of itself", async () => {
    const uuid = Uint8Array.from({ length: 16 }, (_, i) => i);
    const image = await imageBytes(new FileTree(), { uuid, label: "box", sizeBytes: 2 ** 24 });
    const { summary } = await readExt4(new MemoryFile(image));
    expect(summary).toMatchObject({
      sizeBytes: 2 ** 24,
      blockBytes: 4096,
      usedInodes: 11,
      label: bytes("box"),
      uuid,
    });
    expect(summary.freeBytes).toBeGreaterThan(8_000_000);
  });

  test("reads parts of files, and tells holes from data", async () => {
    const { tree, contents } = sampleTree();
    const reader = await readExt4(new MemoryFile(await imageBytes(tree, {}, contents)));
    const inode = (await reader.lookup(bytes("etc/sparse"))) as number;
    const sparse = await reader.openFile(inode);
    expect(await sparse.size()).toBe(1_000_000);
    const into = new Uint8Array(100).fill(9);
    const part = await sparse.read(499_990, 30, into);
    expect([...part.subarray(0, 10)]).toEqual(new Array(10).fill(0));
    expect(part[10]).not.toBe(0);
    expect(part.buffer).toBe(into.buffer);
    expect((await sparse.read(999_999, 30)).byteLength).toBe(1);
    expect((await sparse.read(2_000_000, 30)).byteLength).toBe(0);
    const runs: unknown[] = [];
    for await (const run of reader.dataRuns(inode)) runs.push(run);
    expect(runs).toEqual([{ offset: 122 * 4096, length: 2 * 4096 }]);
  });

  test("cuts the last range of data at the file's end", async () => {
    const tree = new FileTree();
    const node = tree.add(tree.root, bytes("f"), { ...file, sizeBytes: 20_000 });
    tree.setFileData(node, 20_000, [{ offset: 16_384, length: 1 }]);
    const reader = await open(tree);
    const runs: unknown[] = [];
    for await (const run of reader.dataRuns(12)) runs.push(run);
    expect(runs).toEqual([{ offset: 16_384, length: 20_000 - 16_384 }]);
  });
});

describe("walk", () => {
  async function deepImage(): Promise<MemoryFile> {
    const tree = new FileTree();
    let at = tree.root;
    for (let i = 0; i < 20; i++) {
      at = tree.add(at, bytes(`${i % 10}`.repeat(255)), directory);
      tree.add(at, bytes("~"), file);
    }
    return new MemoryFile(await imageBytes(tree));
  }

  test("gives the whole path of everything, to be kept", async () => {
    const reader = await readExt4(await deepImage(), { maxPathBytes: 5121 });
    const paths: string[] = [];
    const kept: Uint8Array[] = [];
    for await (const { path } of reader.walk()) {
      paths.push(text(path));
      kept.push(path);
    }
    expect(kept.map(text)).toEqual(paths);
    const chain = Array.from({ length: 20 }, (_, i) => `${i % 10}`.repeat(255));
    for (let depth = 1; depth <= 20; depth++) {
      expect(paths).toContain(chain.slice(0, depth).join("/"));
      expect(paths).toContain(`${chain.slice(0, depth).join("/")}/~`);
    }
    expect(paths).toHaveLength(41);
  });

  test("gives out no more attributes and targets than it is allowed to", async () => {
    const tree = new FileTree();
    const xattrs = [{ name: bytes("user.a"), value: new Uint8Array(94) }];
    tree.add(tree.root, bytes("a"), { ...file, xattrs });
    tree.add(tree.root, bytes("b"), { ...file, xattrs });
    tree.add(tree.root, bytes("c"), symlink("x".repeat(100)));
    const image = new MemoryFile(await imageBytes(tree));
    const walk = async (maxAttributeBytes: number): Promise<void> => {
      for await (const _ of (await readExt4(image, { maxAttributeBytes })).walk());
    };
    await walk(300);
    await expect(walk(299)).rejects.toThrow(code("EXT4_OVER_LIMIT"));
  });

  test("keeps one path in memory, and refuses one that is too long", async () => {
    const image = await deepImage();
    const all = async (maxPathBytes?: number): Promise<void> => {
      const reader = await readExt4(image, maxPathBytes === undefined ? {} : { maxPathBytes });
      for await (const _ of reader.walk());
    };
    await expect(all(5120)).rejects.toThrow(code("EXT4_OVER_LIMIT"));
    await expect(all()).rejects.toThrow(code("EXT4_OVER_LIMIT"));
    await expect(all(5121)).resolves.toBeUndefined();
  });
});

/** A reader of an image with two directories, after the place of their first blocks was changed: nothing has checksums. */
async function withBlocks(
  change: (blocks: { a: number; b: number; words: DataView }) => void,
): Promise<Ext4Reader> {
  const tree = new FileTree();
  for (const name of ["a", "b"]) {
    const parent = tree.add(tree.root, bytes(name), directory);
    for (let i = 0; i < 3; i++) tree.add(parent, bytes(`${name}${i}`), file);
  }
  const image = await imageBytes(tree, { journal: false });
  const words = new DataView(image.buffer);
  words.setUint32(1024 + 0x64, words.getUint32(1024 + 0x64, true) & ~0x400, true);
  const reader = await readExt4(new MemoryFile(image));
  const placeOf = async (path: string): Promise<number> => {
    const inode = (await reader.lookup(bytes(path))) as number;
    return words.getUint32(4096 + 8, true) * 4096 + (inode - 1) * 256;
  };
  change({ a: await placeOf("a"), b: await placeOf("b"), words });
  return readExt4(new MemoryFile(image));
}

describe("a block of names", () => {
  const names = async (found: AsyncIterable<{ name: Uint8Array }>): Promise<string[]> => {
    const all: string[] = [];
    for await (const { name } of found) all.push(text(name));
    return all;
  };

  test("is read once, however often a directory points at it", async () => {
    const reader = await withBlocks(({ a, words }) => {
      const block = words.getUint32(a + 0x28 + 20, true);
      words.setUint32(a + 0x20, 0, true);
      words.setUint32(a + 4, 3 * 4096, true);
      for (const [i, at] of [block, 0, block].entries())
        words.setUint32(a + 0x28 + i * 4, at, true);
    });
    const inode = (await reader.lookup(bytes("a"))) as number;
    await expect(names(reader.readdir(inode))).rejects.toThrow(code("EXT4_BAD_DIRECTORY"));
    await expect(reader.lookup(bytes("a/none"))).rejects.toThrow(code("EXT4_BAD_DIRECTORY"));
    expect(await reader.lookup(bytes("a/a1"))).toBeDefined();
  });

  test("belongs to one directory of a walk", async () => {
    const reader = await withBlocks(({ a, b, words }) => {
      words.setUint32(b + 0x28 + 20, words.getUint32(a + 0x28 + 20, true), true);
    });
    const inode = (await reader.lookup(bytes("b"))) as number;
    expect(await names(reader.readdir(inode))).toEqual(["a0", "a1", "a2"]);
    await expect(names(reader.walk())).rejects.toThrow(code("EXT4_BAD_DIRECTORY"));
  });
});

describe("lookup", () => {
  let reader: Ext4Reader;
  let deep = 0;
  beforeAll(async () => {
    const tree = new FileTree();
    const a = tree.add(tree.root, bytes("a"), directory);
    const b = tree.add(a, bytes("b"), directory);
    tree.add(b, bytes("file"), file);
    tree.add(tree.root, bytes("to-b"), symlink("a/b"));
    tree.add(b, bytes("up"), symlink("../../a//./b/file"));
    tree.add(b, bytes("absolute"), symlink("/../../to-b/file"));
    tree.add(b, bytes("loop"), symlink("loop"));
    tree.add(b, bytes("dangling"), symlink("nowhere"));
    reader = await open(tree);
    deep = (await reader.lookup(bytes("a/b/file"))) as number;
  });

  test.each([
    ["/a/b/file", {}],
    ["//a/./b//file/", {}],
    ["to-b/file", {}],
    ["a/b/up", { followsLast: true }],
    ["a/b/absolute", { followsLast: true }],
    ["../../../to-b/../b/file", {}],
  ])("of %s stays in the image and finds the file", async (path, options) => {
    expect(await reader.lookup(bytes(path), options)).toBe(deep);
  });

  test("of nothing, of / and of .. is the root", async () => {
    for (const path of ["", "/", "..", "/a/.."]) expect(await reader.lookup(bytes(path))).toBe(2);
  });

  test("goes through so many bytes of directories, however symlinks lead there", async () => {
    const tree = new FileTree();
    const large = tree.add(tree.root, bytes("large"), directory);
    for (let i = 0; i < 1000; i++) tree.add(large, bytes(`name-${i}`), file);
    tree.add(large, bytes("x"), directory);
    tree.add(tree.root, bytes("way"), symlink(`large${"/x/..".repeat(800)}`));
    const image = new MemoryFile(await imageBytes(tree));
    const inode = await (await readExt4(image)).lookup(bytes("large"));
    const { sizeBytes } = await (await readExt4(image)).attributes(inode as number);
    // The root's block is read twice, and the large directory each time.
    const maxLookupBytes = 2 * 4096 + 800 * sizeBytes;
    const follow = async (limit: number) =>
      (await readExt4(image, { maxLookupBytes: limit })).lookup(bytes("way"), {
        followsLast: true,
      });
    expect(await follow(maxLookupBytes)).toBe(inode);
    await expect(follow(maxLookupBytes - 1)).rejects.toThrow(code("EXT4_OVER_LIMIT"));
  });

  test("does not follow the last symlink unless asked", async () => {
    const found = (await reader.lookup(bytes("to-b"))) as number;
    expect((await reader.attributes(found)).type).toBe("symlink");
  });

  test.each(["a/c", "a/b/file/x", "a/b/dangling"])("of %s finds nothing", async (path) => {
    expect(await reader.lookup(bytes(path), { followsLast: true })).toBeUndefined();
  });

  test("gives up on a loop", async () => {
    await expect(reader.lookup(bytes("a/b/loop/x"))).rejects.toThrow(code("EXT4_SYMLINK_LOOP"));
  });

  test("knows the wrong type, the wrong number and what is too large", async () => {
    await expect(reader.readFile(reader.root)).rejects.toThrow(code("EXT4_WRONG_TYPE"));
    await expect(reader.readdir(deep).next()).rejects.toThrow(code("EXT4_WRONG_TYPE"));
    await expect(reader.attributes(0)).rejects.toThrow(code("EXT4_BAD_INODE"));
    await expect(reader.attributes(5000)).rejects.toThrow(code("EXT4_BAD_INODE"));
    await expect(reader.attributes(9_000_000)).rejects.toThrow(code("EXT4_BAD_INODE"));
    const tree = new FileTree();
    tree.add(tree.root, bytes("f"), { ...file, sizeBytes: 11 });
    const image = new MemoryFile(await imageBytes(tree));
    const small = await readExt4(image, { maxFileBytes: 10 });
    await expect(small.readFile(12)).rejects.toThrow(code("EXT4_OVER_LIMIT"));
  });
});
