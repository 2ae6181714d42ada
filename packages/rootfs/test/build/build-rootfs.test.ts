import { createHash } from "node:crypto";
import { MemoryFile, observeFile } from "@box/io";
import {
  type BuildProgress,
  type BuildRootfsOptions,
  buildRootfs,
  type RootfsOptions,
  type RootfsWarning,
} from "@box/rootfs";
import { describe, expect, test } from "vitest";
import { archiveOf, file, layer, layerOfArchive, type TestEntry } from "../merge/layers.ts";
import { sampleLayers } from "../merge/sample-layers.ts";
import { soundBytes } from "./sound-image.ts";

const archives = sampleLayers.map(archiveOf);

async function build(
  chunkBytes: number,
  options?: RootfsOptions,
  more?: BuildRootfsOptions,
): Promise<Uint8Array> {
  const layers = archives.map((archive) => layerOfArchive(archive, chunkBytes));
  const sink = new MemoryFile();
  const { sizeBytes } = await buildRootfs(
    { layers, ...(options === undefined ? {} : { options }) },
    sink,
    more,
  );
  expect(await sink.size()).toBe(sizeBytes);
  return soundBytes(sink);
}

const digest = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

describe("buildRootfs", () => {
  test("gives the same bytes however layers are cut, and again", async () => {
    const first = digest(await build(64 * 1024));
    expect(digest(await build(64 * 1024))).toBe(first);
    expect(digest(await build(777))).toBe(first);
  });

  test("gives other bytes for other choices", async () => {
    const digests = [
      digest(await build(65_536)),
      digest(await build(65_536, { hasJournal: false })),
      digest(await build(65_536, { epochSeconds: 5 })),
      digest(await build(65_536, { freeBytes: 1024 * 1024 })),
    ];
    expect(new Set(digests).size).toBe(digests.length);
  });

  test("makes a file system of the size that is asked for", async () => {
    const sizeBytes = 64 * 1024 * 1024;
    expect((await build(65_536, { sizeBytes })).byteLength).toBe(sizeBytes);
  });

  test("refuses a size that is too small, and names the smallest, before anything is written", async () => {
    const sink = observeFile(new MemoryFile(), ({ kind }) => {
      if (kind === "write") throw new Error("something was written");
    });
    const recipe = {
      layers: archives.map((archive) => layerOfArchive(archive)),
      options: { sizeBytes: 4096 },
    };
    await expect(buildRootfs(recipe, sink)).rejects.toMatchObject({ code: "EXT4_SIZE_TOO_SMALL" });
  });

  test("writes nothing of a file that an upper layer deleted", async () => {
    const secret = "a secret that a later layer deleted";
    const layers = [
      layer(file("secret", secret), file("kept", "kept content")),
      layer(file(".wh.secret")),
    ];
    const sink = new MemoryFile();
    await buildRootfs({ layers }, sink);
    const bytes = Buffer.from(await soundBytes(sink));
    expect(bytes.includes("kept content")).toBe(true);
    expect(bytes.includes(secret)).toBe(false);
  });

  test("tells how far it has come, and what was put right", async () => {
    const progress: BuildProgress[] = [];
    const warnings: RootfsWarning[] = [];
    const old: TestEntry = file("old", "x", { mtime: { seconds: -9_000_000_000, nanoseconds: 0 } });
    await buildRootfs({ layers: [layer(file("../up", "x"), old)] }, new MemoryFile(), {
      onProgress: (each) => progress.push(each),
      onWarning: (each) => warnings.push(each),
    });
    expect(progress[0]).toEqual({ stage: "merge", done: 1, total: 1 });
    expect(progress.at(-1)).toMatchObject({ stage: "write" });
    expect(warnings.map((warning) => warning.code)).toEqual([
      "ROOTFS_PATH_CLAMPED",
      "ROOTFS_TIME_CLAMPED",
    ]);
  });

  test("refuses a layer that is not the same the second time", async () => {
    let reads = 0;
    const changing = {
      diffId: "sha256:changing",
      async *open() {
        reads += 1;
        yield archiveOf(reads === 1 ? [file("a", "1"), file("b", "2")] : [file("a", "1")]);
      },
    };
    await expect(buildRootfs({ layers: [changing] }, new MemoryFile())).rejects.toMatchObject({
      code: "ROOTFS_LAYER_CHANGED",
      kind: "corrupt",
    });
  });

  test("refuses limits that are exceeded", async () => {
    const limits = { maxLayers: 1 };
    await expect(build(65_536, {}, { limits })).rejects.toMatchObject({ code: "ROOTFS_LIMIT" });
  });

  test("stops when it is told to, before and in the middle", async () => {
    await expect(build(65_536, {}, { signal: AbortSignal.abort() })).rejects.toThrow(/abort/i);
    const controller = new AbortController();
    const onProgress = ({ stage }: BuildProgress) => {
      if (stage === "write") controller.abort();
    };
    await expect(build(512, {}, { signal: controller.signal, onProgress })).rejects.toThrow(
      /abort/i,
    );
  });

  test("passes on what the sink throws", async () => {
    const full = observeFile(new MemoryFile(), ({ kind }) => {
      if (kind === "write") throw new Error("no space");
    });
    const layers = archives.map((archive) => layerOfArchive(archive));
    await expect(buildRootfs({ layers }, full)).rejects.toThrow("no space");
  });
});
