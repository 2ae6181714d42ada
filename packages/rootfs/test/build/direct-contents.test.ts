import { constants } from "node:fs";
import { mkdtemp, open, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MemoryFile } from "@box/io";
import { createFileDurably, type FileSystem, nodeFileSystem, pageAlignedBytes } from "@box/io/node";
import { BaseCache, buildRootfs, type LayerSource } from "@box/rootfs";
import { afterEach, beforeEach, expect, it } from "vitest";
import { archiveOf, file, layerOfArchive } from "../merge/layers.ts";
import { soundBytes } from "./sound-image.ts";
import { direct, isLinux, tellingFileSystem } from "./telling-file-system.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "box-direct-"));
});
afterEach(() => rm(folder, { recursive: true }));

/** Content with holes, ends inside blocks, and blocks whose first part is zeros. */
function content(seed: number, sizeBytes: number): Uint8Array {
  const bytes = new Uint8Array(sizeBytes);
  for (let at = 0; at < sizeBytes; at++) bytes[at] = (at * 31 + seed * 7 + (at >> 12)) & 0xff;
  bytes.fill(0, sizeBytes >> 1, (sizeBytes >> 1) + 100_000);
  return bytes;
}

const layers = [
  archiveOf([
    file("a", content(1, 2_500_001)),
    file("b", content(2, 70_000)),
    file("c", content(3, 300_000)),
    file("d", content(4, 5000)),
  ]),
  archiveOf([file("b", content(5, 1_600_000))]),
].map((archive) => layerOfArchive(archive, 300_000));

async function expectedBytes(): Promise<Uint8Array> {
  const image = new MemoryFile();
  await buildRootfs({ layers }, image);
  return await soundBytes(image);
}

/** Builds into a file, for which direct transfers are asked. */
async function build(fs: FileSystem): Promise<Buffer> {
  const path = join(folder, "image");
  await createFileDurably(path, (sink) => buildRootfs({ layers }, sink), { fs, direct: true });
  return readFile(path);
}

const failure = (errno: string): Error => Object.assign(new Error(errno), { code: errno });

it("writes contents past the page cache, the same bytes as elsewhere", async () => {
  const transfers: string[] = [];
  const fs = tellingFileSystem((transfer) => transfers.push(transfer));
  const image = await build(fs);
  expect(Buffer.compare(image, await expectedBytes())).toBe(0);
  expect(transfers.filter((transfer) => transfer === `${direct} write`).length).toBeGreaterThan(3);
});

it("uses the direct transfers of the file system where it has them", async () => {
  let isAble = isLinux;
  try {
    const flags = constants.O_RDWR | constants.O_CREAT | constants.O_DIRECT;
    await using probe = await open(join(folder, "probe"), flags);
    await probe.write(pageAlignedBytes(65_536), 0, 65_536, 0);
  } catch {
    isAble = false;
  }
  let directBytes = 0;
  const fs: FileSystem = {
    ...nodeFileSystem,
    open: async (path, flags, mode) => {
      const handle = await nodeFileSystem.open(path, flags, mode);
      if (!isLinux || (flags & constants.O_DIRECT) === 0) return handle;
      const write = async (bytes: Uint8Array, position: number): Promise<number> => {
        const length = await handle.write(bytes, position);
        directBytes += length;
        return length;
      };
      return { ...handle, write };
    },
  };
  const image = await build(fs);
  expect(Buffer.compare(image, await expectedBytes())).toBe(0);
  if (isAble) expect(directBytes).toBeGreaterThan(3_500_000);
  else expect(directBytes).toBe(0);
});

it("makes the same bytes where direct transfers are refused, at once or later", async () => {
  for (const refusedFrom of [1, 2, 4]) {
    let count = 0;
    const fs = tellingFileSystem((transfer) => {
      if (transfer === "direct write" && ++count >= refusedFrom) throw failure("EINVAL");
    });
    const image = await build(fs);
    expect(Buffer.compare(image, await expectedBytes())).toBe(0);
    if (isLinux) expect(count).toBeGreaterThanOrEqual(refusedFrom);
    await rm(join(folder, "image"));
  }
});

it("fails and leaves nothing when a direct write does, and when several do", async () => {
  for (const [errno, code] of [
    ["ENOSPC", "IO_NO_SPACE"],
    ["EIO", "IO_FAILED"],
  ] as const) {
    for (const from of [1, 2, 4]) {
      let count = 0;
      const fs = tellingFileSystem((transfer) => {
        if (transfer === `${direct} write` && ++count >= from) throw failure(errno);
      });
      await expect(build(fs)).rejects.toMatchObject({ code, details: { errno } });
      expect(await readdir(folder)).toEqual([]);
    }
  }
});

it("has no write under way any more once it has failed", async () => {
  const [whole] = layers;
  const failing: LayerSource = {
    diffId: "sha256:00",
    async *open(options) {
      let chunks = 0;
      for await (const chunk of whole?.open(options) ?? []) {
        if (options.isSecondReading && ++chunks === 5) throw new Error("the layer is gone");
        yield chunk;
      }
    },
  };
  let underWay = 0;
  let written = 0;
  const sink = {
    size: async () => 0,
    read: async () => new Uint8Array(0),
    write: async () => {
      underWay += 1;
      await new Promise((resolve) => setTimeout(resolve, 20));
      underWay -= 1;
      written += 1;
    },
  };
  await expect(buildRootfs({ layers: [failing] }, sink)).rejects.toThrow("the layer is gone");
  expect(underWay).toBe(0);
  expect(written).toBeGreaterThan(0);
});

it("is not how the bases of a cache are made, which are read right afterwards; what layers unpack to is", async () => {
  const transfers: string[] = [];
  const fs = tellingFileSystem((transfer) => transfers.push(transfer));
  const directory = join(folder, "bases");
  const cache = new BaseCache({ directory, locksDirectory: join(folder, "locks"), fs });
  const { path } = await cache.ensure({ layers });
  expect(Buffer.compare(await readFile(path), await expectedBytes())).toBe(0);
  expect(transfers).toContain(`${direct} write`);
  const lastRead = transfers.lastIndexOf(`${direct} read`);
  expect(isLinux && transfers.slice(lastRead).includes("direct write")).toBe(false);
});
