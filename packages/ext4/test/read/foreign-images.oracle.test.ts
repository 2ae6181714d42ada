import { mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readExt4 } from "@box/ext4";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DiskFile } from "../images/disk-file.ts";
import { hasE2fsprogs, needsE2fsprogs, run } from "../images/oracles.ts";
import { pattern } from "../images/sample-tree.ts";
import { bytes, text } from "../tree/nodes.ts";

const hasMke2fs = hasE2fsprogs && run("mke2fs", ["-V"]).error === undefined;
const large = pattern(3_000_000);
let folder = "";

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "box-ext4-"));
  mkdirSync(join(folder, "many"));
  for (let i = 0; i < 700; i++)
    writeFileSync(join(folder, "many", `name ${i}`.padEnd(40, "x")), "");
  mkdirSync(join(folder, "few"));
  writeFileSync(join(folder, "few/tiny"), "tiny");
  writeFileSync(join(folder, "few/small"), "s".repeat(130));
  writeFileSync(join(folder, "large"), large);
  utimesSync(join(folder, "large"), 1_000_000, 1_000_000);
  symlinkSync("few/tiny", join(folder, "short"));
  symlinkSync(`${"./".repeat(50)}few/tiny`, join(folder, "long"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.skipIf(!hasMke2fs)(needsE2fsprogs("readExt4 reads what mke2fs makes"), () => {
  test.each([
    ["ext4", ["-t", "ext4"]],
    ["ext3", ["-t", "ext3"]],
    ["ext2 of small blocks", ["-t", "ext2", "-b", "1024"]],
    ["blocks of 1 KiB", ["-t", "ext4", "-b", "1024"]],
    ["blocks of 2 KiB", ["-t", "ext4", "-b", "2048"]],
    ["blocks of 64 KiB", ["-t", "ext4", "-b", "65536"]],
    ["inline data", ["-t", "ext4", "-O", "inline_data"]],
    ["inodes of 128 bytes", ["-t", "ext4", "-I", "128"]],
    ["large inodes", ["-t", "ext4", "-I", "1024", "-O", "inline_data"]],
    [
      "descriptors in their groups",
      ["-t", "ext4", "-O", "meta_bg,^resize_inode", "-b", "1024", "-g", "256"],
    ],
    ["a checksum seed of its own", ["-t", "ext4", "-O", "metadata_csum_seed"]],
    ["no checksums", ["-t", "ext4", "-O", "^metadata_csum"]],
    ["two copies of the superblock", ["-t", "ext4", "-O", "sparse_super2"]],
    ["32-bit block numbers", ["-t", "ext4", "-O", "^64bit"]],
  ])("as %s", async (_, options) => {
    const disk = new DiskFile();
    const made = run("mke2fs", ["-q", "-F", ...options, "-d", folder, disk.path, "40M"]);
    expect(made.status).toBe(0);
    const reader = await readExt4(disk);
    const found: string[] = [];
    for await (const { path } of reader.walk()) found.push(text(path));
    expect(found.filter((path) => path.startsWith("many/"))).toHaveLength(700);
    expect(found).toEqual(
      expect.arrayContaining(["few/tiny", "few/small", "large", "short", "long"]),
    );
    const read = async (path: string): Promise<Uint8Array> => {
      const inode = await reader.lookup(bytes(path), { followsLast: true });
      return reader.readFile(inode as number);
    };
    expect(text(await read("short"))).toBe("tiny");
    expect(text(await read("long"))).toBe("tiny");
    expect(text(await read("few/small"))).toBe("s".repeat(130));
    expect(Buffer.compare(await read("large"), large)).toBe(0);
    const inode = (await reader.lookup(bytes("large"))) as number;
    const attributes = await reader.attributes(inode);
    expect(attributes.mtime.seconds).toBe(1_000_000);
    const runs: number[] = [];
    for await (const { offset, length } of reader.dataRuns(inode)) runs.push(offset + length);
    expect(runs.at(-1)).toBe(large.byteLength);
    disk.close();
  });
});
