import { createHash } from "node:crypto";
import { FileTree, type PlanExt4Options, planExt4, writeExt4 } from "@box/ext4";
import { MemoryFile, observeFile, type RandomAccess } from "@box/io";
import { describe, expect, test } from "vitest";
import { imageBytes } from "../images/build.ts";
import { DiskFile } from "../images/disk-file.ts";
import { sampleTree } from "../images/sample-tree.ts";
import { bytes, directory, file } from "../tree/nodes.ts";

const digest = (image: Uint8Array): string => createHash("sha256").update(image).digest("hex");

/** Names in a directory large enough for an index. */
function manyNames(count: number): FileTree {
  const tree = new FileTree();
  const many = tree.add(tree.root, bytes("many"), directory);
  for (let i = 0; i < count; i++) tree.add(many, bytes(`name ${i * 7919}`), file);
  return tree;
}

describe("writeExt4", () => {
  test("writes the same bytes every time", async () => {
    const build = async (): Promise<Uint8Array> => {
      const { tree, contents } = sampleTree();
      return imageBytes(tree, {}, contents);
    };
    expect(Buffer.compare(await build(), await build())).toBe(0);
  });

  test("writes the same bytes whatever the order in which the tree was made", async () => {
    const forwards = new FileTree();
    const backwards = new FileTree();
    const names = Array.from({ length: 600 }, (_, i) => bytes(`name ${i}`));
    for (const name of names) forwards.add(forwards.root, name, file);
    for (const name of names.reverse()) backwards.add(backwards.root, name, file);
    expect(digest(await imageBytes(forwards))).toBe(digest(await imageBytes(backwards)));
  });

  /** A change of these is a change of what the writer makes: its version, and every base's key, must change too. */
  test.each([
    [
      "an empty tree",
      async () => imageBytes(new FileTree()),
      "b164cfcc02a09a882561609fe5eb3fcc07be2b326976629531b29d0759bd5367",
    ],
    [
      "one of everything",
      async () => {
        const { tree, contents } = sampleTree();
        return imageBytes(tree, { label: "sample", epochSeconds: 1_700_000_000 }, contents);
      },
      "e065f8b61e9c964cc0f580f4c2d4b16b51af357d196ee1fe6a6ad1cf5f968e7c",
    ],
    [
      "a large directory",
      async () => imageBytes(manyNames(3000), { journal: false }),
      "4028962d330541834b24aa6ff9f4407c5729899780b6a6396d86ddbfbf11996b",
    ],
    [
      "free space",
      async () =>
        imageBytes(manyNames(3), { freeBytes: 20_000_000, uuid: new Uint8Array(16).fill(7) }),
      "fc7b5a80fd40cd066eb4803903fcd1bf5c91ca4595902be68557f42cfbceecb4",
    ],
  ])("writes %s with the bytes it always had", async (_, build, expected) => {
    expect(digest(await build())).toBe(expected);
  });

  test("changes nothing but what depends on it with the uuid, the seed, the label and the time", async () => {
    const base = digest(await imageBytes(manyNames(200)));
    const options: PlanExt4Options[] = [
      { uuid: new Uint8Array(16).fill(1) },
      { hashSeed: new Uint8Array(16).fill(1) },
      { label: "x" },
      { epochSeconds: 1 },
    ];
    for (const option of options) {
      expect(digest(await imageBytes(manyNames(200), option))).not.toBe(base);
    }
  });

  test("writes no zero blocks, and little more than what is there", async () => {
    const file = new DiskFile();
    await writeExt4(planExt4(new FileTree(), { sizeBytes: 2 ** 34 }), file);
    expect(await file.size()).toBe(2 ** 34);
    expect(file.written).toBeLessThan(1_500_000);
    file.close();
  });

  test("gives a sink that cannot be truncated its size", async () => {
    const memory = new MemoryFile();
    const sink: RandomAccess = {
      size: () => memory.size(),
      read: (offset, length) => memory.read(offset, length),
      write: (offset, content) => memory.write(offset, content),
    };
    const plan = planExt4(new FileTree());
    await writeExt4(plan, sink);
    expect(Buffer.compare(memory.toBytes(), await imageBytes(new FileTree()))).toBe(0);
  });

  test("writes the first superblock after everything else", async () => {
    const offsets: number[] = [];
    const sink = observeFile(new MemoryFile(), (operation) => {
      if (operation.kind === "write") offsets.push(operation.offset);
    });
    await writeExt4(planExt4(sampleTree().tree, { sizeBytes: 2 ** 29 }), sink);
    expect(offsets.at(-1)).toBe(0);
    expect(offsets.filter((offset) => offset === 0)).toHaveLength(1);
  });

  test("stops with the reason of an aborted signal", async () => {
    const controller = new AbortController();
    controller.abort(new Error("enough"));
    const sink = new MemoryFile();
    const plan = planExt4(new FileTree());
    await expect(writeExt4(plan, sink, { signal: controller.signal })).rejects.toThrow("enough");
    expect(await sink.size()).toBe(0);
  });

  test("is programmed against: the sink must be writable", async () => {
    const sink: RandomAccess = { size: async () => 0, read: async () => new Uint8Array(0) };
    await expect(writeExt4(planExt4(new FileTree()), sink)).rejects.toThrow("must be writable");
  });
});
