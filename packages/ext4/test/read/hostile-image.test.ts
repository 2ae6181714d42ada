import { FileTree, readExt4 } from "@box/ext4";
import { MemoryFile } from "@box/io";
import { describe, expect, test } from "vitest";
import { sealSuperblock } from "../../src/format/superblock.ts";
import { imageBytes } from "../images/build.ts";
import { sampleTree } from "../images/sample-tree.ts";
import { bytes, directory, file, symlink } from "../tree/nodes.ts";

const code = (name: string): unknown => expect.objectContaining({ code: name });

interface Image {
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

/** An image whose superblock says that there are no checksums, so that lies below it are believed. */
async function withoutChecksums(tree: FileTree): Promise<Image> {
  const image = await imageBytes(tree, { journal: false });
  const view = new DataView(image.buffer);
  view.setUint32(1024 + 0x64, view.getUint32(1024 + 0x64, true) & ~0x400, true);
  return { bytes: image, view };
}

/** Where an inode lies: in the first group's table, which stands behind both bitmaps. */
function inodeAt({ view }: Image, inode: number): number {
  return view.getUint32(4096 + 8, true) * 4096 + (inode - 1) * 256;
}

/** Reads everything in an image. */
async function readAll(image: Uint8Array): Promise<void> {
  const reader = await readExt4(new MemoryFile(image), { maxFileBytes: 2 ** 24 });
  for await (const { inode, attributes } of reader.walk()) {
    if (attributes.type === "file") await reader.readFile(inode);
  }
}

describe("a superblock", () => {
  test.each([
    ["no magic", 0x38, 0, "EXT4_BAD_MAGIC"],
    ["blocks of 128 KiB", 0x18, 7, "EXT4_BAD_SUPERBLOCK"],
    ["a first block of 1", 0x14, 1, "EXT4_BAD_SUPERBLOCK"],
    ["no blocks", 0x04, 0, "EXT4_BAD_SUPERBLOCK"],
    ["no blocks in a group", 0x20, 0, "EXT4_BAD_SUPERBLOCK"],
    ["too many blocks in a group", 0x20, 32_769, "EXT4_BAD_SUPERBLOCK"],
    ["no inodes in a group", 0x28, 0, "EXT4_BAD_SUPERBLOCK"],
    ["inodes of 100 bytes", 0x58, 100, "EXT4_BAD_SUPERBLOCK"],
    ["descriptors of 16 bytes", 0xfc, 16 << 16, "EXT4_BAD_SUPERBLOCK"],
    ["more inodes than groups hold", 0x00, 8193, "EXT4_BAD_SUPERBLOCK"],
    ["an unknown feature", 0x60, 0x80000000 + 0x2c2, "EXT4_UNSUPPORTED_FEATURE"],
    ["clusters of blocks (bigalloc)", 0x64, 0x26b, "EXT4_UNSUPPORTED_FEATURE"],
    ["a journal to replay", 0x60, 0x2c6, "EXT4_NEEDS_RECOVERY"],
  ])("with %s is refused", async (_, at, value, expected) => {
    const { bytes: image, view } = await withoutChecksums(new FileTree());
    view.setUint32(1024 + at, value, true);
    await expect(readAll(image)).rejects.toThrow(code(expected));
    sealSuperblock(image.subarray(1024, 2048));
    await expect(readAll(image)).rejects.toThrow(code(expected));
  });

  test("with a journal to replay is read when asked to", async () => {
    const { bytes: image, view } = await withoutChecksums(new FileTree());
    view.setUint32(1024 + 0x60, 0x2c6, true);
    const reader = await readExt4(new MemoryFile(image), { allowsDirty: true });
    expect((await reader.attributes(2)).type).toBe("directory");
  });

  test("that is cut off is refused, and so is an image that ends early", async () => {
    const image = await imageBytes(sampleTree().tree);
    await expect(readAll(image.subarray(0, 1500))).rejects.toThrow(code("EXT4_TRUNCATED"));
    await expect(readAll(image.subarray(0, 8192))).rejects.toThrow(code("EXT4_TRUNCATED"));
  });
});

describe("a wrong checksum is found in", () => {
  test("every table and directory: no byte that counts can change unseen", async () => {
    const { tree } = sampleTree();
    const many = tree.add(tree.root, bytes("many"), directory);
    for (let i = 0; i < 300; i++) tree.add(many, bytes(`name ${i}`.padEnd(60)), file);
    const image = await imageBytes(tree, { journal: false });
    const view = new DataView(image.buffer);
    const table = view.getUint32(4096 + 8, true) * 4096;
    const places = [1024 + 0x78, 4096 + 0x0c, table + 256 + 4];
    const reader = await readExt4(new MemoryFile(image));
    const blocks = new Set<number>();
    for (const path of ["", "etc", "many", "attributes"]) {
      const inode = (await reader.lookup(bytes(path))) as number;
      const map = table + (inode - 1) * 256 + 0x28;
      const length = view.getUint16(map + 16, true);
      for (let i = 0; i < length; i++) blocks.add(view.getUint32(map + 20, true) + i);
    }
    const fragments = (await reader.lookup(bytes("etc/fragments"))) as number;
    blocks.add(view.getUint32(table + (fragments - 1) * 256 + 0x28 + 16, true));
    const inBlock = (await reader.lookup(bytes("attributes/in block"))) as number;
    blocks.add(view.getUint32(table + (inBlock - 1) * 256 + 0x68, true));
    for (const block of blocks) places.push(block * 4096 + 41);
    expect(places.length).toBeGreaterThan(12);
    for (const place of places) {
      const changed = image.slice();
      changed[place] = (changed[place] as number) ^ 1;
      await expect(readAll(changed), `byte ${place}`).rejects.toThrow(code("EXT4_BAD_CHECKSUM"));
    }
  });
});

describe("an image that lies is refused:", () => {
  const oneFile = (): FileTree => {
    const tree = new FileTree();
    tree.add(tree.root, bytes("f"), { ...file, sizeBytes: 5000 });
    return tree;
  };
  const lies: [string, (image: Image) => void, string][] = [
    ["an inode table outside", ({ view }) => view.setUint32(4096 + 8, 1e9, true), "EXT4_BAD_BLOCK"],
    [
      "an unknown type",
      (image) => image.view.setUint16(inodeAt(image, 12), 0xf1a4, true),
      "EXT4_BAD_INODE",
    ],
    [
      "extra fields past the end",
      (image) => image.view.setUint16(inodeAt(image, 12) + 0x80, 200, true),
      "EXT4_BAD_INODE",
    ],
    [
      "a size of 2^60",
      (image) => image.view.setUint32(inodeAt(image, 12) + 0x6c, 2 ** 28, true),
      "EXT4_BAD_INODE",
    ],
    [
      "a large size",
      (image) => image.view.setUint32(inodeAt(image, 12) + 0x6c, 1, true),
      "EXT4_OVER_LIMIT",
    ],
    [
      "an extent tree without magic",
      (image) => image.view.setUint16(inodeAt(image, 12) + 0x28, 0, true),
      "EXT4_BAD_EXTENTS",
    ],
    [
      "more extents than room",
      (image) => image.view.setUint16(inodeAt(image, 12) + 0x2a, 5, true),
      "EXT4_BAD_EXTENTS",
    ],
    [
      "an extent tree of six levels",
      (image) => image.view.setUint16(inodeAt(image, 12) + 0x2e, 6, true),
      "EXT4_BAD_EXTENTS",
    ],
    [
      "an extent tree that is its own leaf",
      (image) => image.view.setUint16(inodeAt(image, 12) + 0x2e, 1, true),
      "EXT4_BAD_BLOCK",
    ],
    [
      "an empty extent",
      (image) => image.view.setUint16(inodeAt(image, 12) + 0x38, 0, true),
      "EXT4_BAD_EXTENTS",
    ],
    [
      "an extent outside",
      (image) => image.view.setUint32(inodeAt(image, 12) + 0x3c, 1e9, true),
      "EXT4_BAD_BLOCK",
    ],
    [
      "an extent at block 0",
      (image) => image.view.setUint32(inodeAt(image, 2) + 0x3c, 0, true),
      "EXT4_BAD_EXTENTS",
    ],
    [
      "a directory of 2^53 bytes",
      (image) => image.view.setUint32(inodeAt(image, 2) + 0x6c, 2 ** 20, true),
      "EXT4_OVER_LIMIT",
    ],
    [
      "an attribute block elsewhere",
      (image) => image.view.setUint32(inodeAt(image, 12) + 0x68, 3, true),
      "EXT4_BAD_XATTR",
    ],
    [
      "an attribute whose name leaves the inode",
      (image) => {
        image.view.setUint32(inodeAt(image, 12) + 160, 0xea020000, true);
        image.view.setUint32(inodeAt(image, 12) + 164, 0xff, true);
      },
      "EXT4_BAD_XATTR",
    ],
    [
      "an attribute whose value leaves the inode",
      (image) => {
        image.view.setUint32(inodeAt(image, 12) + 160, 0xea020000, true);
        image.view.setUint32(inodeAt(image, 12) + 164, 0x101, true);
        image.view.setUint32(inodeAt(image, 12) + 172, 93, true);
      },
      "EXT4_BAD_XATTR",
    ],
    [
      "an attribute whose value is in a plain file",
      (image) => {
        image.view.setUint32(inodeAt(image, 12) + 160, 0xea020000, true);
        image.view.setUint32(inodeAt(image, 12) + 164, 0x101, true);
        image.view.setUint32(inodeAt(image, 12) + 168, 12, true);
      },
      "EXT4_BAD_XATTR",
    ],
    [
      "an ACL that is none",
      (image) => {
        image.view.setUint32(inodeAt(image, 12) + 160, 0xea020000, true);
        image.view.setUint32(inodeAt(image, 12) + 164, 0x200, true);
      },
      "EXT4_BAD_XATTR",
    ],
  ];
  const rootBlock = (image: Image): number =>
    image.view.getUint32(inodeAt(image, 2) + 0x3c, true) * 4096;
  lies.push(
    [
      "an entry of no length",
      (image) => image.view.setUint16(rootBlock(image) + 28, 0, true),
      "EXT4_BAD_DIRECTORY",
    ],
    [
      "an entry longer than the block",
      (image) => image.view.setUint16(rootBlock(image) + 28, 8000, true),
      "EXT4_BAD_DIRECTORY",
    ],
    [
      "a name longer than its entry",
      (image) => image.view.setUint8(rootBlock(image) + 30, 200),
      "EXT4_BAD_DIRECTORY",
    ],
    [
      "a name with a slash",
      (image) => image.view.setUint8(rootBlock(image) + 32, 0x2f),
      "EXT4_BAD_DIRECTORY",
    ],
    [
      "an empty name",
      (image) => image.view.setUint8(rootBlock(image) + 30, 0),
      "EXT4_BAD_DIRECTORY",
    ],
    [
      "an entry for an inode that is not there",
      (image) => image.view.setUint32(rootBlock(image) + 24, 1e9, true),
      "EXT4_BAD_INODE",
    ],
    [
      "an entry for an inode not in use",
      (image) => image.view.setUint32(rootBlock(image) + 24, 99, true),
      "EXT4_BAD_INODE",
    ],
    [
      "a directory inside itself",
      (image) => image.view.setUint32(rootBlock(image) + 24, 2, true),
      "EXT4_BAD_DIRECTORY",
    ],
    [
      "a hole between its names",
      (image) => image.view.setUint32(inodeAt(image, 2) + 4, 8192, true),
      "EXT4_BAD_DIRECTORY",
    ],
    [
      "an entry cut off at the end",
      (image) => image.view.setUint16(rootBlock(image) + 4096 - 12 + 4, 8, true),
      "EXT4_BAD_DIRECTORY",
    ],
  );
  test.each(lies)("%s", async (_, lie, expected) => {
    const image = await withoutChecksums(oneFile());
    lie(image);
    await expect(readAll(image.bytes)).rejects.toThrow(code(expected));
  });

  test("extents that overlap, or are out of order", async () => {
    const tree = new FileTree();
    const node = tree.add(tree.root, bytes("f"), { ...file, sizeBytes: 100_000 });
    tree.setFileData(
      node,
      100_000,
      [0, 20_000, 40_000].map((offset) => ({ offset, length: 1 })),
    );
    const firstLength = 12 + 4;
    const secondStart = 24;
    for (const [at, value] of [
      [firstLength, 300],
      [secondStart, 0],
      [secondStart, 200],
    ] as const) {
      const image = await withoutChecksums(tree);
      image.view.setUint16(inodeAt(image, 12) + 0x28 + at, value, true);
      await expect(readAll(image.bytes)).rejects.toThrow(code("EXT4_BAD_EXTENTS"));
    }
  });

  test("an encrypted file", async () => {
    const image = await withoutChecksums(oneFile());
    const at = inodeAt(image, 12) + 0x20;
    image.view.setUint32(at, image.view.getUint32(at, true) | 0x800, true);
    await expect(readAll(image.bytes)).rejects.toThrow(code("EXT4_UNSUPPORTED_FEATURE"));
  });

  test("a symlink of 4,096 bytes and more", async () => {
    const tree = new FileTree();
    tree.add(tree.root, bytes("s"), symlink("x".repeat(100)));
    const image = await withoutChecksums(tree);
    image.view.setUint32(inodeAt(image, 12) + 4, 4096, true);
    await expect(readAll(image.bytes)).rejects.toThrow(code("EXT4_OVER_LIMIT"));
  });
});

test("an I/O error is passed on and never taken for a fault of the image", async () => {
  const image = await imageBytes(sampleTree().tree);
  for (let failing = 1, done = false; !done; failing++) {
    const memory = new MemoryFile(image);
    let reads = 0;
    const failure = new Error(`read ${failing} failed`);
    const source = {
      size: () => memory.size(),
      read: async (offset: number, length: number) => {
        if (++reads === failing) throw failure;
        return memory.read(offset, length);
      },
    };
    const result = await (async () => {
      const reader = await readExt4(source);
      for await (const { inode, attributes } of reader.walk()) {
        if (attributes.type === "file" && attributes.sizeBytes < 50_000)
          await reader.readFile(inode);
      }
      return "done";
    })().catch((error: unknown) => error);
    done = result === "done";
    if (!done) expect(result).toBe(failure);
  }
});
