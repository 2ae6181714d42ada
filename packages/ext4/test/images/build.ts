import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type Ext4Plan,
  type FileTree,
  type NodeId,
  type PlanExt4Options,
  planExt4,
  writeExt4,
} from "@box/ext4";
import { MemoryFile, type RandomAccess } from "@box/io";
import { expect } from "vitest";
import { DiskFile } from "./disk-file.ts";
import { checkImage, cleanReport, hasE2fsprogs } from "./oracles.ts";

/** The content of files, by node. */
export type Contents = ReadonlyMap<NodeId, Uint8Array>;

/** Plans a tree and writes it with the content of its files. What comes of it is clean for e2fsck, in every test. */
export async function writeImage(
  tree: FileTree,
  sink: RandomAccess,
  options: PlanExt4Options = {},
  contents: Contents = new Map(),
): Promise<Ext4Plan> {
  const plan = planExt4(tree, options);
  await writeExt4(plan, sink);
  for (const [node, content] of contents) {
    for (const { fileOffset, imageOffset, length } of plan.extents(node)) {
      await sink.write?.(imageOffset, content.subarray(fileOffset, fileOffset + length));
    }
  }
  if (hasE2fsprogs) expectClean(sink);
  return plan;
}

/** A time after 2310 is sound; e2fsck only asks whether one before 1970 was meant. */
const lateTimes =
  /^Timestamp\(s\) on inode \d+ beyond 2310-04-04 are likely pre-1970\.\nFix\? no\n\n/gm;

function expectClean(sink: RandomAccess): void {
  if (sink instanceof DiskFile) {
    expectCleanFile(sink.path);
    return;
  }
  if (!(sink instanceof MemoryFile)) throw new TypeError("e2fsck cannot read this image");
  const folder = mkdtempSync(join(tmpdir(), "box-ext4-"));
  try {
    const path = join(folder, "disk.img");
    writeFileSync(path, sink.toBytes());
    expectCleanFile(path);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function expectCleanFile(path: string): void {
  const { status, report } = checkImage(path);
  expect(report.replace(lateTimes, "")).toMatch(cleanReport);
  expect(status).toBe(0);
}

/** The bytes of a small image. */
export async function imageBytes(
  tree: FileTree,
  options: PlanExt4Options = {},
  contents: Contents = new Map(),
): Promise<Uint8Array> {
  const file = new MemoryFile();
  await writeImage(tree, file, options, contents);
  return file.toBytes();
}
