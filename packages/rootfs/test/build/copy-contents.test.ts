import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MemoryFile, observeFile } from "@box/io";
import { nodeFileSystem, observeFileSystem } from "@box/io/node";
import { buildRootfs, type LayerSource } from "@box/rootfs";
import { afterEach, beforeEach, expect, it } from "vitest";
import { archiveOf, bytes, file, layer, layerOfArchive } from "../merge/layers.ts";
import { soundBytes } from "./sound-image.ts";

const mebibyte = 2 ** 20;

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "box-copy-"));
});
afterEach(() => rm(folder, { recursive: true }));

/** Bytes of which none is zero. */
function content(seed: number, sizeBytes: number): Uint8Array {
  return Uint8Array.from({ length: sizeBytes }, (_, at) => 1 + ((at * 31 + seed * 7) % 251));
}

/** What a build did: its reads of what was kept, and the places of its writes until the first one of metadata. */
interface Moves {
  readonly writes: readonly number[];
  readonly mostReadsInARow: number;
}

/** Builds with the archives kept; without, the bytes are the same. */
async function build(layers: readonly LayerSource[]): Promise<Moves> {
  const expected = new MemoryFile();
  await buildRootfs({ layers }, expected);
  const writes: number[] = [];
  let readsInARow = 0;
  let mostReadsInARow = 0;
  let isContent = true;
  const fs = observeFileSystem(nodeFileSystem, ({ kind }) => {
    if (kind !== "read") return;
    readsInARow += 1;
    mostReadsInARow = Math.max(mostReadsInARow, readsInARow);
  });
  const image = new MemoryFile();
  const sink = observeFile(image, ({ kind, offset }) => {
    if (kind === "truncate") isContent = false;
    if (kind !== "write") return;
    if (isContent) writes.push(offset);
    readsInARow = 0;
  });
  await buildRootfs({ layers }, sink, { scratch: { directory: folder, fs } });
  expect(Buffer.compare(await soundBytes(image), await soundBytes(expected))).toBe(0);
  expect(mostReadsInARow).toBeGreaterThan(0);
  return { writes, mostReadsInARow };
}

it("writes in the order of the image, whatever the order of files and layers", async () => {
  const names = Array.from({ length: 300 }, (_, index) => `file-${String(index).padStart(3, "0")}`);
  const some = (from: number) =>
    layer(
      ...names
        .filter((_, index) => index % 2 === from)
        .toReversed()
        .map((name, index) => file(name, content(index, 9000 + index))),
    );
  const { writes } = await build([some(0), some(1)]);
  expect(writes).toEqual(writes.toSorted((a, b) => a - b));
  // 300 files of 12 KiB, in pieces of 1 MiB at most.
  expect(writes.length).toBeLessThan(8);
});

it("holds no more than a buffer or two of a large file", async () => {
  const { mostReadsInARow } = await build([layer(file("large", content(1, 9 * mebibyte + 5)))]);
  // Pieces of 64 KiB, in buffers of nearly 1 MiB.
  expect(mostReadsInARow).toBeLessThanOrEqual(2 * 16);
});

it("copies dead files of a layer as little as those of a layer that is unpacked again", async () => {
  const { writes } = await build([
    layer(file("dead", content(1, 3 * mebibyte)), file("alive", content(2, 5000))),
    layer(file(".wh.dead")),
  ]);
  expect(writes.length).toBe(1);
});

/** Gives an entry's header another type. */
function withType(archive: Uint8Array, type: string): Uint8Array {
  const changed = Uint8Array.from(archive);
  changed.set(bytes(type), 156);
  changed.fill(0x20, 148, 156);
  const sum = changed.subarray(0, 512).reduce((so, byte) => so + byte, 0);
  changed.set(bytes(`${sum.toString(8).padStart(6, "0")}\0 `), 148);
  return changed;
}

/** The blocks of one entry, without those that end an archive. */
function blocksOf(...entries: Parameters<typeof archiveOf>[0]): Uint8Array {
  return archiveOf(entries).subarray(0, -1024);
}

it("puts the pieces of a sparse file in their places, in a layer that is kept", async () => {
  const records = "GNU.sparse.size=100000\nGNU.sparse.map=5000,300,70000,9000\n"
    .trim()
    .split("\n")
    .map((record) => `${record.length + 4} ${record}\n`)
    .join("");
  const archive = Buffer.concat([
    blocksOf(file("before", content(3, 2 * mebibyte))),
    withType(blocksOf(file("pax", records)), "x"),
    blocksOf(file("sparse", content(4, 9300))),
    archiveOf([file("zz-behind", content(5, 7000))]),
  ]);
  await build([layerOfArchive(archive)]);
  const { writes } = await build([
    layer(file("below", content(6, 2 * mebibyte))),
    layerOfArchive(archive),
  ]);
  expect(writes.length).toBeGreaterThan(2);
});

it("says so when what was kept is cut short", async () => {
  let reads = 0;
  const fs = {
    ...nodeFileSystem,
    open: async (...args: Parameters<typeof nodeFileSystem.open>) => {
      const { readSync: _, ...handle } = await nodeFileSystem.open(...args);
      return {
        ...handle,
        read: async (into: Uint8Array, position: number) =>
          ++reads > 1 ? 0 : handle.read(into, position),
      };
    },
  };
  await expect(
    buildRootfs({ layers: [layer(file("large", content(1, 3 * mebibyte)))] }, new MemoryFile(), {
      scratch: { directory: folder, fs },
    }),
  ).rejects.toMatchObject({ code: "ROOTFS_LAYER_CHANGED" });
});
