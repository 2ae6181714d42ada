import { createHash } from "node:crypto";
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FileTree } from "@box/ext4";
import { afterAll, describe, expect, test } from "vitest";
import { writeImage } from "../images/build.ts";
import { DiskFile } from "../images/disk-file.ts";
import { checkImage, cleanReport, hasE2fsprogs, run } from "../images/oracles.ts";
import { sampleTree } from "../images/sample-tree.ts";
import { bytes, directory, file } from "../tree/nodes.ts";

const folder = mkdtempSync(join(tmpdir(), "box-mount-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const point = join(folder, "mounted");
mkdirSync(point);

/** Whether this process may mount images: root, with loop devices and ext4 in the kernel. */
async function canMount(): Promise<boolean> {
  if (!hasE2fsprogs || process.getuid?.() !== 0) return false;
  const disk = new DiskFile(folder);
  await disk.truncate(2 ** 24);
  run("mke2fs", ["-q", "-F", "-t", "ext4", disk.path]);
  const mounted = run("mount", ["-o", "loop,ro", disk.path, point]).status === 0;
  if (mounted) run("umount", [point]);
  disk.close();
  return mounted;
}

const isAllowed = await canMount();
const title = "the kernel, through a loop device";

describe.skipIf(!isAllowed)(isAllowed ? title : `${title} (skipped: no right to mount)`, () => {
  const whileMounted = (path: string, work: () => void): void => {
    expect(run("mount", ["-o", "loop", path, point])).toMatchObject({ status: 0 });
    try {
      work();
    } finally {
      run("umount", [point]);
    }
  };

  test("sees the tree, writes to it and leaves it clean", async () => {
    const disk = new DiskFile();
    const { tree, contents } = sampleTree();
    const many = tree.add(tree.root, bytes("many"), directory);
    for (let i = 0; i < 2000; i++) tree.add(many, bytes(`name ${i}`), file);
    await writeImage(tree, disk, { freeBytes: 30_000_000 }, contents);
    whileMounted(disk.path, () => {
      expect(readdirSync(join(point, "many"))).toHaveLength(2000);
      for (let i = 0; i < 2000; i += 97) lstatSync(join(point, "many", `name ${i}`));
      for (const path of ["passwd", "sparse", "hole", "fragments", "zeros", "setuid"]) {
        const node = tree.lookup(
          tree.lookup(tree.root, bytes("etc")) as number,
          bytes(path),
        ) as number;
        const digest = (content: Uint8Array): string =>
          createHash("sha256").update(content).digest("hex");
        expect(digest(readFileSync(join(point, "etc", path)))).toBe(
          digest(contents.get(node) as Uint8Array),
        );
      }
      const shared = lstatSync(join(point, "hard link"));
      expect(shared.ino).toBe(lstatSync(join(point, "etc/passwd")).ino);
      expect(shared.nlink).toBe(2);
      expect(lstatSync(join(point, "etc")).uid).toBe(4_000_000_000);
      expect(lstatSync(join(point, "etc/setuid")).mode).toBe(0o106755);
      expect(readlinkSync(join(point, "longest"))).toBe("c".repeat(4095));
      expect(lstatSync(join(point, "times/t8589934597"), { bigint: true }).mtimeNs).toBe(
        8_589_934_597_000_000_005n,
      );
      expect(lstatSync(join(point, "times/t-1"), { bigint: true }).mtimeNs).toBe(-1n);
      writeFileSync(join(point, "many/new"), "x".repeat(100_000));
      for (let i = 0; i < 2000; i += 3) rmSync(join(point, "many", `name ${i}`));
      rmSync(join(point, "attributes"), { recursive: true });
      expect(statfsSync(point).bfree).toBeGreaterThan(5000);
    });
    const { status, report } = checkImage(disk.path);
    expect(report).toMatch(cleanReport);
    expect(status).toBe(0);
    disk.close();
  });

  test("reads every attribute, wherever it is stored, and ACLs as they were given", async () => {
    const disk = new DiskFile();
    const { tree, contents } = sampleTree();
    const attributes = tree.lookup(tree.root, bytes("attributes")) as number;
    const huge = tree.lookup(attributes, bytes("huge")) as number;
    // The kernel shows only capabilities that it understands: this is cap_net_raw+ep.
    const capability = Uint8Array.from([1, 0, 0, 2, 0, 32, ...new Array<number>(14).fill(0)]);
    const kept = tree.attributes(huge);
    const others = kept.xattrs.filter(({ value }) => value.byteLength > 1000);
    const xattrs = [...others, { name: bytes("security.capability"), value: capability }];
    tree.setAttributes(huge, { ...kept, xattrs });
    await writeImage(tree, disk, {}, contents);
    const expected = Object.fromEntries(
      [{ name: bytes("."), node: attributes }, ...tree.children(attributes)].map(
        ({ name, node }) => [
          Buffer.from(name).toString(),
          Object.fromEntries(
            tree
              .attributes(node)
              .xattrs.map((xattr) => [
                Buffer.from(xattr.name).toString(),
                Buffer.from(xattr.value).toString("hex"),
              ]),
          ),
        ],
      ),
    );
    expect(Object.keys(expected)).toHaveLength(7);
    const script =
      "import json,os,sys; p=sys.argv[1]; print(json.dumps({n: {x: os.getxattr(p+'/'+n,x,follow_symlinks=False).hex() for x in os.listxattr(p+'/'+n,follow_symlinks=False)} for n in ['.']+os.listdir(p)}))";
    whileMounted(disk.path, () => {
      const { stdout } = run("python3", ["-c", script, join(point, "attributes")]);
      expect(JSON.parse(stdout)).toEqual(expected);
    });
    disk.close();
  });

  test("shows a size that was asked for, and one that it grew to, in df", async () => {
    const disk = new DiskFile();
    const { tree, contents } = sampleTree();
    const expectSize = (sizeBytes: number): void => {
      whileMounted(disk.path, () => {
        const { bavail, blocks, bsize } = statfsSync(point);
        expect(blocks * bsize).toBeGreaterThan(sizeBytes * 0.95);
        expect(blocks * bsize).toBeLessThanOrEqual(sizeBytes);
        expect(bavail * bsize).toBeGreaterThan(sizeBytes * 0.94);
        writeFileSync(join(point, "new"), "x".repeat(1_000_000));
      });
      expect(checkImage(disk.path)).toMatchObject({ status: 0 });
    };
    await writeImage(tree, disk, { sizeBytes: 2 ** 30 }, contents);
    expectSize(2 ** 30);
    await disk.truncate(20 * 2 ** 30);
    // resize2fs wants a check that is noted, since the kernel wrote.
    expect(run("e2fsck", ["-f", "-p", disk.path])).toMatchObject({ status: 0 });
    expect(run("resize2fs", [disk.path])).toMatchObject({ status: 0 });
    expectSize(20 * 2 ** 30);
    disk.close();
  });

  test("mounts the smallest file system, which has not a block to spare", async () => {
    const disk = new DiskFile();
    await writeImage(new FileTree(), disk);
    whileMounted(disk.path, () => {
      expect(statfsSync(point).bfree).toBe(0);
      expect(readdirSync(point)).toEqual(["lost+found"]);
    });
    expect(checkImage(disk.path).status).toBe(0);
    disk.close();
  });
});
