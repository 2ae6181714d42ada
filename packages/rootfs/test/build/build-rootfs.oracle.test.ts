import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openFile } from "@box/io/node";
import { createImage, openImage } from "@box/qcow2";
import { buildRootfs, type RootfsOptions } from "@box/rootfs";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { archiveOf, layerOfArchive } from "../merge/layers.ts";
import { sampleLayers } from "../merge/sample-layers.ts";
import { contentsOf, lookAtFolder, unpack } from "../merge/seen.ts";
import { missing, output } from "../overlay/program.ts";

let folder: string;
let image: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "box-build-"));
  image = join(folder, "base.ext4");
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function build(options: RootfsOptions = {}): Promise<void> {
  await using file = await openFile(image, { mode: "create" });
  await buildRootfs({ layers: sampleSources(), options }, file);
}

const sampleSources = () => sampleLayers.map((entries) => layerOfArchive(archiveOf(entries)));

describe.skipIf(missing("e2fsck") !== undefined)("e2fsck", () => {
  test.each<[string, RootfsOptions]>([
    ["as small as can be", {}],
    ["without a journal", { hasJournal: false }],
    ["with free space", { freeBytes: 20 * 1024 * 1024 }],
    ["of 300 MiB", { sizeBytes: 300 * 1024 * 1024 }],
  ])(
    "finds a file system %s clean",
    async (_what, options) => {
      await build(options);
      expect(await output("e2fsck", "-fn", image)).not.toMatch(/fix|WARNING/i);
    },
    60_000,
  );
});

describe.skipIf(missing("qemu-img") !== undefined)("qemu-img", () => {
  test("finds a file system that was built into a qcow2 sound, and in it the bytes of the raw one", async () => {
    await build({ sizeBytes: 100 * 1024 * 1024 });
    const disk = join(folder, "base.qcow2");
    await using file = await openFile(disk, { mode: "create" });
    await using opened = new AsyncDisposableStack();
    const recipe = { layers: sampleSources(), options: { sizeBytes: 100 * 1024 * 1024 } };
    await buildRootfs(recipe, async (virtualSizeBytes) => {
      await createImage(file, { virtualSizeBytes });
      return opened.use(await openImage(file, { mode: "rw" }));
    });
    await opened.disposeAsync();
    expect(await output("qemu-img", "check", "-f", "qcow2", disk)).toContain(
      "No errors were found",
    );
    const copy = join(folder, "copy.ext4");
    await output("qemu-img", "convert", "-f", "qcow2", "-O", "raw", disk, copy);
    expect((await readFile(image)).equals(await readFile(copy))).toBe(true);
    // Both are sparse: most of the 100 MiB is nowhere.
    for (const path of [image, disk])
      expect((await stat(path)).blocks * 512).toBeLessThan(4 * 2 ** 20);
  });
});

/** Whether this process may mount; said once. */
function mayMount(): boolean {
  const may = process.getuid?.() === 0 && existsSync("/dev/loop-control");
  if (!may) process.stderr.write("skipped: this process may not mount\n");
  return may;
}

const reason = missing("umoci") ?? missing("python3");

describe.skipIf(reason !== undefined || !mayMount())("the kernel", () => {
  /** Mounts the image read-only until `work` is done. */
  async function whileMounted(work: (mounted: string) => Promise<void>): Promise<void> {
    const mounted = join(folder, "mounted");
    await mkdir(mounted);
    await output("mount", "-o", "loop,ro", image, mounted);
    try {
      await work(mounted);
    } finally {
      await output("umount", mounted);
    }
  }

  test("sees the tree that umoci unpacks: paths, metadata and content", async () => {
    const expected = await unpack(folder, sampleLayers);
    const contents = await contentsOf(join(folder, "rootfs"));
    await build();
    await whileMounted(async (mounted) => {
      const found = await lookAtFolder(mounted);
      // Every ext4 file system has one; no image does.
      expect(found.delete("lost+found")).toBe(true);
      expect(found).toEqual(expected);
      expect(await contentsOf(mounted)).toEqual(contents);
    });
  }, 120_000);
});
