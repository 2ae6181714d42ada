import { FileTree, readExt4, verifyExt4 } from "@box/ext4";
import { MemoryFile, observeFile } from "@box/io";
import { describe, expect, test } from "vitest";
import { imageBytes } from "../images/build.ts";
import { sampleTree } from "../images/sample-tree.ts";
import { bytes, directory, file } from "../tree/nodes.ts";

async function sampleImage(): Promise<Uint8Array> {
  const { tree, contents } = sampleTree();
  const many = tree.add(tree.root, bytes("many"), directory);
  for (let i = 0; i < 300; i++) tree.add(many, bytes(`name ${i}`.padEnd(60)), file);
  return imageBytes(tree, { freeBytes: 1_000_000 }, contents);
}

const codesOf = async (image: Uint8Array): Promise<string[]> =>
  (await verifyExt4(new MemoryFile(image))).findings.map(({ code }) => code);

/** An image whose superblock says that there are no checksums, so that lies below it are believed. */
function believed(image: Uint8Array): DataView {
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  view.setUint32(1024 + 0x64, view.getUint32(1024 + 0x64, true) & ~0x400, true);
  return view;
}

/** Where an inode lies: in the first group's table. */
const inodeAt = (view: DataView, inode: number): number =>
  view.getUint32(4096 + 8, true) * 4096 + (inode - 1) * 256;

async function inodeOf(image: Uint8Array, path: string): Promise<number> {
  return (await (await readExt4(new MemoryFile(image))).lookup(bytes(path))) as number;
}

describe("verifyExt4", () => {
  test("finds nothing in a sound image, however large or small it is", async () => {
    const image = await sampleImage();
    const report = await verifyExt4(new MemoryFile(image));
    expect(report).toMatchObject({ findings: [], isCut: false });
    expect(report.nodeCount).toBeGreaterThan(330);
    expect(await codesOf(await imageBytes(new FileTree(), { sizeBytes: 2 ** 28 }))).toEqual([]);
  });

  test("finds any bit that is flipped in metadata", async () => {
    const image = await sampleImage();
    const view = new DataView(image.buffer);
    const places: [string, number][] = [
      ["the bitmap of blocks", view.getUint32(4096, true) * 4096 + 5],
      ["the bitmap of inodes", view.getUint32(4096 + 4, true) * 4096],
      ["a descriptor", 4096 + 12],
      ["an inode", inodeAt(view, await inodeOf(image, "etc/passwd")) + 4],
      ["a directory", (await firstBlockOf(image, "many")) * 4096 + 44],
    ];
    for (const [what, at] of places) {
      image[at] = (image[at] as number) ^ 4;
      expect(await codesOf(image), what).toContain("EXT4_BAD_CHECKSUM");
      image[at] = (image[at] as number) ^ 4;
    }
    expect(await codesOf(image)).toEqual([]);
  });

  test("goes on after a finding and tells them all, up to a limit", async () => {
    const image = await sampleImage();
    const view = new DataView(image.buffer);
    for (const path of ["etc/passwd", "etc/setuid", "names/..."]) {
      const at = inodeAt(view, await inodeOf(image, "etc/empty"));
      expect(at).toBeGreaterThan(0);
      const broken = inodeAt(view, await inodeOfSound(path));
      image[broken + 8] = (image[broken + 8] as number) ^ 1;
    }
    const inodes = (await verifyExt4(new MemoryFile(image))).findings;
    expect(new Set(inodes.map(({ details }) => details["inode"])).size).toBe(3);
    const cut = await verifyExt4(new MemoryFile(image), { maxFindings: 1 });
    expect(cut).toMatchObject({ isCut: true });
  });

  test("finds wrong counts of links and of free space", async () => {
    const image = await sampleImage();
    const links = inodeAt(believed(image), await inodeOf(image, "etc/setuid")) + 0x1a;
    const view = believed(image);
    view.setUint16(links, 7, true);
    expect(await codesOf(image)).toEqual(["EXT4_BAD_INODE"]);
    view.setUint16(links, 1, true);
    view.setUint32(1024 + 0x0c, view.getUint32(1024 + 0x0c, true) + 1, true);
    expect(await codesOf(image)).toEqual(["EXT4_BAD_SUPERBLOCK"]);
  });

  test.each([
    ["", 0],
    ["never written, ", 32_768],
  ])(
    "finds blocks, %sthat belong to two files, are marked free or lie outside",
    async (_, unwritten) => {
      const image = await sampleImage();
      const view = believed(image);
      const extent = inodeAt(view, await inodeOf(image, "etc/passwd")) + 0x28 + 12;
      view.setUint16(extent + 4, view.getUint16(extent + 4, true) + unwritten, true);
      const physical = extent + 8;
      const own = view.getUint32(physical, true);
      view.setUint32(physical, own + 3, true);
      expect(await codesOf(image)).toContain("EXT4_BAD_EXTENTS");
      view.setUint32(physical, view.getUint32(1024 + 4, true) - 10, true);
      expect(await codesOf(image)).toContain("EXT4_BAD_BLOCK");
      view.setUint32(physical, view.getUint32(1024 + 4, true) - 1, true);
      expect(await codesOf(image)).toContain("EXT4_BAD_BLOCK");
      view.setUint32(physical, own, true);
      expect(await codesOf(image)).toEqual([]);
    },
  );

  test("finds an inode that is in use and marked free", async () => {
    const image = await sampleImage();
    const view = believed(image);
    const bitmap = view.getUint32(4096 + 4, true) * 4096;
    const inode = (await inodeOf(image, "etc/passwd")) - 1;
    const at = bitmap + (inode >> 3);
    image[at] = (image[at] as number) & ~(1 << (inode & 7));
    // As many are free as before.
    const free = bitmap + 500;
    expect(image[free]).toBe(0);
    image[free] = 1;
    const { findings } = await verifyExt4(new MemoryFile(image));
    expect(findings).toMatchObject([{ code: "EXT4_BAD_INODE", details: { inode: inode + 1 } }]);
  });

  test("finds a directory with two names", async () => {
    const tree = new FileTree();
    const a = tree.add(tree.root, bytes("aaaa"), directory);
    tree.add(a, bytes("inside"), directory);
    tree.add(tree.root, bytes("file"), file);
    const image = await imageBytes(tree, { journal: false });
    const view = believed(image);
    const root = (await firstBlockOf(image, "")) * 4096;
    const at = Buffer.from(image).indexOf("file", root) - 8;
    view.setUint32(at, await inodeOf(image, "aaaa"), true);
    expect(await codesOf(image)).toContain("EXT4_BAD_DIRECTORY");
  });

  test("takes no failure to read for a fault, and stops when it is told to", async () => {
    const image = await sampleImage();
    let reads = 0;
    const failing = observeFile(new MemoryFile(image), ({ kind }) => {
      if (kind === "read" && ++reads > 5) throw new Error("EIO");
    });
    await expect(verifyExt4(failing)).rejects.toThrow("EIO");
    const signal = AbortSignal.abort();
    await expect(verifyExt4(new MemoryFile(image), { signal })).rejects.toThrow(/abort/i);
    const fragments = new FileTree();
    const dataRuns = Array.from({ length: 300 }, (_, i) => ({ offset: i * 8192, length: 1 }));
    fragments.add(fragments.root, bytes("f"), { ...file, sizeBytes: 300 * 8192, dataRuns });
    const onFifty = (left = 50) => ({ throwIfAborted: () => expect(left--).toBeGreaterThan(0) });
    const options = { signal: onFifty() as AbortSignal };
    await expect(
      verifyExt4(new MemoryFile(await imageBytes(fragments)), options),
    ).rejects.toThrow();
    await expect(verifyExt4(new MemoryFile(new Uint8Array(4096)))).rejects.toMatchObject({
      code: "EXT4_BAD_MAGIC",
    });
  });
});

async function inodeOfSound(path: string): Promise<number> {
  return inodeOf(await sampleImage(), path);
}

/** The block in which a directory starts. */
async function firstBlockOf(image: Uint8Array, path: string): Promise<number> {
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  return view.getUint32(inodeAt(view, await inodeOf(image, path)) + 0x28 + 12 + 8, true);
}
