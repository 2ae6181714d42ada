import { readdirSync, readlinkSync } from "node:fs";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MemoryFile } from "@box/io";
import { nodeFileSystem, observeFileSystem } from "@box/io/node";
import { type BuildProgress, buildRootfs, type LayerSource, type ScratchSpace } from "@box/rootfs";
import { afterEach, beforeEach, expect, it } from "vitest";
import { archiveOf, file, layerOfArchive } from "../merge/layers.ts";
import { soundBytes } from "./sound-image.ts";
import { direct, isLinux, tellingFileSystem } from "./telling-file-system.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "box-spool-"));
});
afterEach(async () => {
  expect(await readdir(folder)).toEqual([]);
  expect(openFilesIn(folder)).toEqual([]);
  await rm(folder, { recursive: true });
});

/** What this process has open in a folder, names that are gone included. */
function openFilesIn(directory: string): string[] {
  return readdirSync("/proc/self/fd").flatMap((fd) => {
    try {
      const path = readlinkSync(`/proc/self/fd/${fd}`);
      return path.startsWith(directory) ? [path] : [];
    } catch {
      return [];
    }
  });
}

const chunkBytes = 300_000;

/** Bytes that no neighbouring block has. */
function content(seed: number, sizeBytes: number): Uint8Array {
  const bytes = new Uint8Array(sizeBytes);
  for (let at = 0; at < sizeBytes; at++) bytes[at] = (at * 31 + seed * 7 + (at >> 12)) & 0xff;
  return bytes;
}

const archives = [
  archiveOf([file("a", content(1, 2_500_000)), file("b", content(2, 70_000))]),
  archiveOf([file("small", content(3, 5000))]),
  archiveOf([file("b", content(4, 600_000)), file("c", content(5, 1_000_000))]),
];

/** Counted layers whose chunks are Node buffers in memory that is used again for the next one. */
function countedLayers(): { readonly layers: LayerSource[]; readonly opened: number[] } {
  const opened = archives.map(() => 0);
  const layers = archives.map((archive, index) => {
    const { diffId, open } = layerOfArchive(archive, chunkBytes);
    return {
      diffId,
      async *open(options: Parameters<typeof open>[0]) {
        opened[index] = (opened[index] as number) + 1;
        const memory = Buffer.alloc(chunkBytes);
        for await (const chunk of open(options)) {
          memory.set(chunk);
          yield memory.subarray(0, chunk.byteLength);
          memory.fill(0xee);
        }
      },
    };
  });
  return { layers, opened };
}

/** Builds with the scratch space; gives how often each layer was unpacked, after a look at the bytes. */
async function timesUnpacked(scratch: ScratchSpace): Promise<number[]> {
  const expected = new MemoryFile();
  await buildRootfs({ layers: countedLayers().layers }, expected);
  const { layers, opened } = countedLayers();
  const image = new MemoryFile();
  await buildRootfs({ layers }, image, { scratch });
  expect(Buffer.compare(await soundBytes(image), await soundBytes(expected))).toBe(0);
  return opened;
}

it("unpacks a layer of more than 1 MiB once, and makes the same file system", async () => {
  expect(await timesUnpacked({ directory: folder })).toEqual([1, 2, 1]);
});

it("unpacks what does not fit in the room twice", async () => {
  const firstBytes = archives[0]?.byteLength ?? 0;
  expect(await timesUnpacked({ directory: folder, maxBytes: 0 })).toEqual([2, 2, 2]);
  expect(await timesUnpacked({ directory: folder, maxBytes: firstBytes })).toEqual([1, 2, 2]);
  // The room of a layer that did not fit is free for the next one.
  expect(await timesUnpacked({ directory: folder, maxBytes: firstBytes - 1 })).toEqual([2, 2, 1]);
});

it("does without where a file cannot be made, unnamed or written", async () => {
  for (const kind of ["open", "unlink", "write"] as const) {
    for (const nth of [1, 2, 3]) {
      let count = 0;
      const fs = observeFileSystem(nodeFileSystem, (operation) => {
        if (operation.kind === kind && ++count === nth) {
          throw Object.assign(new Error("ENOSPC: no space left"), { code: "ENOSPC" });
        }
      });
      const times = await timesUnpacked({ directory: folder, fs });
      // The second time that a file is opened, it is for direct transfers: the spool does without those.
      const isNeeded = kind === "write" || (kind === "open" ? nth !== 2 || !isLinux : nth < 3);
      expect(times.filter((unpacked) => unpacked === 2).length).toBe(isNeeded ? 2 : 1);
      // Only a name that the system does not take away stays, until the process is gone.
      const left = await readdir(folder);
      expect(left.length).toBe(kind === "unlink" && nth < 3 ? 1 : 0);
      for (const name of left) await rm(join(folder, name));
    }
  }
});

it("keeps its files out of the page cache", async () => {
  const transfers = new Set<string>();
  const fs = tellingFileSystem((transfer) => transfers.add(transfer));
  expect(await timesUnpacked({ directory: folder, fs })).toEqual([1, 2, 1]);
  expect([...transfers].sort()).toEqual([`${direct} read`, `${direct} write`]);
});

it("makes the same file system where direct transfers are refused, and unpacks once all the same", async () => {
  for (const refused of ["direct write", "direct read"]) {
    const transfers = new Set<string>();
    const fs = tellingFileSystem((transfer) => {
      transfers.add(transfer);
      if (transfer === refused) throw Object.assign(new Error("EINVAL"), { code: "EINVAL" });
    });
    expect(await timesUnpacked({ directory: folder, fs })).toEqual([1, 2, 1]);
    expect(transfers).toContain("usual read");
    expect(transfers.has("usual write")).toBe(refused === "direct write" || !isLinux);
  }
});

it("does without a file that the disk has no room for, or fails at, in a direct transfer", async () => {
  for (const code of ["ENOSPC", "EIO"]) {
    const fs = tellingFileSystem((transfer) => {
      if (transfer === `${direct} write`) throw Object.assign(new Error(code), { code });
    });
    expect(await timesUnpacked({ directory: folder, fs })).toEqual([2, 2, 2]);
  }
  const fs = tellingFileSystem((transfer) => {
    if (transfer === `${direct} read`) throw Object.assign(new Error("EIO"), { code: "EIO" });
  });
  await expect(timesUnpacked({ directory: folder, fs })).rejects.toMatchObject({
    kind: "io",
    code: "IO_FAILED",
    details: { errno: "EIO" },
  });
});

it("gives the room of a file back as soon as it is of no use", async () => {
  const layer = layerOfArchive(archiveOf([file("a", content(1, 9_000_000))]), chunkBytes);
  for (const failing of [2, 9]) {
    let writes = 0;
    const fs = tellingFileSystem((transfer) => {
      if (transfer.endsWith("write") && ++writes === failing) throw new Error("EIO");
    });
    const opened: number[] = [];
    const look = (): unknown => opened.push(openFilesIn(folder).length);
    const source: LayerSource = {
      diffId: layer.diffId,
      async *open(options) {
        for await (const chunk of layer.open(options)) {
          yield chunk;
          if (options.isSecondReading !== true) look();
        }
      },
    };
    const onProgress = ({ stage }: BuildProgress): unknown => stage === "merge" && look();
    const scratch = { directory: folder, fs };
    await buildRootfs({ layers: [source] }, new MemoryFile(), { scratch, onProgress });
    expect(writes).toBe(failing);
    expect(opened.filter((count) => count > 0).length).toBeGreaterThan(3);
    expect(opened.slice(failing === 2 ? -2 : -1)).toEqual(failing === 2 ? [0, 0] : [0]);
  }
});

it("lets the page cache take what the disk is too slow for", async () => {
  const megabyte = 1024 * 1024;
  const layer = archiveOf([file("a", content(1, 80 * megabyte))]);
  for (const { writeMs, unpackMs } of [
    { writeMs: 10, unpackMs: 1 },
    { writeMs: 1, unpackMs: 10 },
  ]) {
    let nowMs = 0;
    const transfers: string[] = [];
    const fs = tellingFileSystem(
      (transfer) => transfers.push(transfer),
      (transfer) => {
        if (transfer === `${direct} write`) nowMs += writeMs;
      },
    );
    const source: LayerSource = {
      diffId: "sha256:00",
      async *open() {
        for (let at = 0; at < layer.byteLength; at += megabyte) {
          nowMs += unpackMs;
          yield layer.subarray(at, at + megabyte);
        }
      },
    };
    const scratch = { directory: folder, fs, monotonicMs: () => nowMs };
    await buildRootfs({ layers: [source] }, new MemoryFile(), { scratch });
    const countOf = (told: string): number =>
      transfers.filter((transfer) => transfer === told).length;
    // The end of the archive is a small transfer of its own.
    expect(countOf("direct write") + countOf("usual write")).toBe(81);
    expect(countOf("direct read") + countOf("usual read")).toBe(81);
    const isSlow = writeMs > unpackMs;
    expect(countOf("direct write")).toBe(isLinux ? (isSlow ? 64 : 80) : 0);
    expect(countOf("direct read")).toBe(isLinux && !isSlow ? 80 : 0);
  }
});

it("does without in a folder that is not there", async () => {
  expect(await timesUnpacked({ directory: join(folder, "missing") })).toEqual([2, 2, 2]);
});

it("has no name in the folder while it is in use", async () => {
  const { layers } = countedLayers();
  const names: string[][] = [];
  let most = 0;
  await buildRootfs({ layers }, new MemoryFile(), {
    scratch: { directory: folder },
    onProgress: () => {
      names.push(readdirSync(folder));
      most = Math.max(most, new Set(openFilesIn(folder)).size);
    },
  });
  expect(names.length).toBeGreaterThan(3);
  expect(names.flat()).toEqual([]);
  expect(most).toBe(2);
});

it("tells a file that cannot be read as a failure of the storage", async () => {
  const fs = observeFileSystem(nodeFileSystem, ({ kind }) => {
    if (kind === "read") throw Object.assign(new Error("EIO: i/o error"), { code: "EIO" });
  });
  const { layers } = countedLayers();
  await expect(
    buildRootfs({ layers }, new MemoryFile(), { scratch: { directory: folder, fs } }),
  ).rejects.toMatchObject({ kind: "io", code: "IO_FAILED" });
});

it("keeps nothing of a layer that fails, and passes on what it failed with", async () => {
  const { layers } = countedLayers();
  const failing: LayerSource = {
    diffId: "sha256:00",
    async *open(options) {
      yield* (layers[0] as LayerSource).open(options);
      throw new Error("the layer is not what it should be");
    },
  };
  await expect(
    buildRootfs({ layers: [failing] }, new MemoryFile(), { scratch: { directory: folder } }),
  ).rejects.toThrow("the layer is not what it should be");
});

it("stops when it is aborted, in either pass", async () => {
  for (const stage of ["merge", "write"]) {
    const stop = new AbortController();
    const { layers } = countedLayers();
    await expect(
      buildRootfs({ layers }, new MemoryFile(), {
        scratch: { directory: folder },
        signal: stop.signal,
        onProgress: (progress) => {
          if (progress.stage === stage) stop.abort();
        },
      }),
    ).rejects.toMatchObject({ name: "AbortError" });
  }
});
