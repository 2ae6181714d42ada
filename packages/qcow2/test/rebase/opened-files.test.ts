import { MemoryFile, observeFile, type RandomAccess } from "@box/io";
import { createImage, type FileRequest, openImage, rebaseImage } from "@box/qcow2";
import { describe, expect, it } from "vitest";
import { memoryChain, recordedFiles } from "../support/qcow2-files.ts";

const size = 40 * 4096;
const layout = { virtualSizeBytes: size, clusterSizeBytes: 4096 } as const;
const raw = (name: string) => ({ name, format: "raw" });
const filled = (value: number) => new MemoryFile(new Uint8Array(size).fill(value));

async function overlay(options = {}): Promise<MemoryFile> {
  const file = new MemoryFile();
  await createImage(file, { ...layout, backing: raw("old"), ...options });
  return file;
}

describe("rebaseImage", () => {
  it("closes the old and the new backing file and the data file, and not the image", async () => {
    const closed: string[] = [];
    const named = (file: RandomAccess, name: string) =>
      Object.assign(file, { close: async () => void closed.push(name) });
    const files = { old: named(filled(1), "old"), new: named(filled(2), "new") };
    const file = named(await overlay({ dataFile: { name: "data" } }), "image");
    const dataFile = async () => ({ source: named(new MemoryFile(), "data") });
    await rebaseImage(file, { newBacking: raw("new"), backing: memoryChain(files), dataFile });
    expect(closed.toSorted()).toEqual(["data", "new", "old"]);
  });

  it("tells the resolver where the image is and how deep the new backing file is", async () => {
    const asked: Partial<FileRequest>[] = [];
    const below = new MemoryFile();
    await createImage(below, { ...layout, backing: raw("deep") });
    await rebaseImage(await overlay(), {
      newBacking: { name: "new", format: "qcow2" },
      location: "/a/image",
      backing: async (request) => {
        asked.push(request);
        return {
          source: request.name === "new" ? below : filled(1),
          location: `/b/${request.name}`,
        };
      },
    });
    expect(asked).toMatchObject([
      { name: "old", depth: 1, fromLocation: "/a/image", mode: "r" },
      { name: "new", depth: 1, fromLocation: "/a/image", mode: "r" },
      { name: "deep", depth: 2, fromLocation: "/b/new", mode: "r" },
    ]);
  });

  it("counts the new backing file as one below the image", async () => {
    const file = await overlay({ backing: undefined });
    const options = { newBacking: raw("new"), backing: memoryChain({ new: filled(0) }) };
    const refused = rebaseImage(file, { ...options, limits: { maxChainDepth: 0 } });
    await expect(refused).rejects.toMatchObject({ code: "QCOW2_CHAIN_TOO_DEEP" });
    await rebaseImage(file, { ...options, limits: { maxChainDepth: 1 } });
  });

  it.for(["raw", "qcow2"])(
    "refuses the image's data file as a new backing file: %s",
    async (format) => {
      const data = new MemoryFile();
      await createImage(data, layout);
      const file = await overlay({ dataFile: { name: "data" } });
      const before = [file.toBytes(), data.toBytes()];
      const files = { old: filled(1), new: data };
      const refused = rebaseImage(file, {
        newBacking: { name: "new", format },
        backing: memoryChain(files),
        dataFile: async () => ({ source: data }),
      });
      await expect(refused).rejects.toMatchObject({ code: "QCOW2_DATA_FILE_SHARED" });
      expect([file.toBytes(), data.toBytes()]).toEqual(before);
    },
  );

  it("stores parts of clusters of an image with subclusters", async () => {
    const file = await overlay({ clusterSizeBytes: 65536, hasExtendedL2: true });
    const changed = new Uint8Array(size).fill(1);
    changed.fill(2, 10 * 2048 + 5, 10 * 2048 + 6);
    const files = { old: filled(1), new: new MemoryFile(changed) };
    const report = await rebaseImage(file, {
      newBacking: raw("new"),
      backing: memoryChain(files),
    });
    expect(report).toEqual({ copiedBytes: 2048 });
  });

  it("copies whole clusters, also where the new backing file's data starts within one", async () => {
    const base = new MemoryFile();
    await createImage(base, { ...layout, clusterSizeBytes: 512 });
    {
      await using image = await openImage(base, { mode: "rw" });
      await image.write(3 * 4096 + 1024, new Uint8Array(512).fill(3));
    }
    const file = await overlay({ backing: undefined });
    const newBacking = { name: "new", format: "qcow2" };
    const report = await rebaseImage(file, { newBacking, backing: memoryChain({ new: base }) });
    expect(report).toEqual({ copiedBytes: 4096 });
  });

  it("reads every part of the two backing files once", async () => {
    let readBytes = 0;
    const count = (file: RandomAccess) =>
      observeFile(file, ({ kind, length }) => {
        if (kind === "read") readBytes += length;
      });
    // Extents that end within one of the image's clusters.
    const base = new MemoryFile();
    await createImage(base, { ...layout, clusterSizeBytes: 512 });
    {
      await using image = await openImage(base, { mode: "rw" });
      for (let at = 0; at < size; at += 1536) await image.write(at, new Uint8Array(512).fill(3));
    }
    const file = await overlay({ clusterSizeBytes: 65536 });
    const files = { old: count(filled(1)), new: base };
    await rebaseImage(file, {
      newBacking: { name: "new", format: "qcow2" },
      backing: memoryChain(files),
    });
    expect(readBytes).toBeLessThan(3 * size);
    await using image = await openImage(file, { backing: memoryChain(files) });
    expect((await image.read(0, size)).every((byte) => byte === 1)).toBe(true);
  });
});

describe("rebaseImage that is aborted", () => {
  it.for([
    { after: 0, name: "before anything is looked at" },
    { after: size, name: "when all is copied" },
  ])("keeps the old backing file: $name", async ({ after }) => {
    const { files, finished } = recordedFiles({ image: (await overlay()).toBytes() });
    const controller = new AbortController();
    if (after === 0) controller.abort();
    const aborted = rebaseImage(files["image"] as RandomAccess, {
      newBacking: raw("new"),
      backing: memoryChain({ old: filled(1), new: filled(1) }),
      signal: controller.signal,
      onProgress: ({ doneBytes }) => {
        if (doneBytes === after) controller.abort();
      },
    });
    await expect(aborted).rejects.toMatchObject({ code: "QCOW2_ABORTED" });
    await using image = await openImage(finished()["image"] as MemoryFile, {
      backing: memoryChain({ old: filled(1) }),
    });
    expect(image.info.backing?.name).toBe("old");
  });

  it("looks at no more of an image that stores everything itself", async () => {
    const file = await overlay();
    const backing = memoryChain({ old: filled(1), new: filled(2) });
    {
      await using image = await openImage(file, { mode: "rw", backing });
      for (let at = 0; at < size; at += 8192) await image.write(at, new Uint8Array(4096).fill(9));
      for (let at = 4096; at < size; at += 8192)
        await image.write(at, new Uint8Array(4096).fill(9));
    }
    const controller = new AbortController();
    const progress: number[] = [];
    const aborted = rebaseImage(file, {
      newBacking: raw("new"),
      backing,
      signal: controller.signal,
      onProgress: ({ doneBytes }) => {
        progress.push(doneBytes);
        controller.abort();
      },
    });
    await expect(aborted).rejects.toMatchObject({ code: "QCOW2_ABORTED" });
    expect(progress).toHaveLength(1);
  });
});

it("a rebase changes the header that is there once the content is kept", async () => {
  // An unknown autoclear bit goes away, and a bitmap comes through the first write.
  const file = await overlay();
  const backing = memoryChain({ old: filled(1), new: filled(2) });
  {
    await using image = await openImage(file, { mode: "rw", backing });
    await image.addBitmap("kept");
  }
  const bytes = file.toBytes();
  // Bitmaps that an old writer left out of date are dropped with their extension.
  bytes.fill(0, 88, 96);
  const stale = new MemoryFile(bytes);
  await rebaseImage(stale, { newBacking: raw("new"), backing });
  await using image = await openImage(stale, { backing });
  expect(image.info.bitmaps).toBeUndefined();
  expect(image.info.hasStaleBitmaps).toBe(false);
  expect(image.info.backing?.name).toBe("new");
});

it.for([false, true])(
  "a rebase is on stable storage when it returns, unsafe: %s",
  async (isUnsafe) => {
    const { files, log } = recordedFiles({ image: (await overlay()).toBytes() });
    await rebaseImage(files["image"] as RandomAccess, {
      newBacking: raw("new"),
      backing: memoryChain({ old: filled(1), new: filled(2) }),
      isUnsafe,
    });
    expect(log.at(-1)).toEqual({ file: "image", kind: "flush" });
  },
);
