import { MemoryFile, type RandomAccess } from "@box/io";
import { checkImage, createImage, openImage, type Qcow2Image } from "@box/qcow2";
import { describe, expect, it } from "vitest";
import { recordedFiles } from "../support/qcow2-files.ts";

/** A change of an image, between two states of it that a crash may leave. */
interface Change {
  readonly name: string;
  /** What the image has before. */
  readonly has: readonly ("snapshot" | "bitmap" | "full refcount table")[];
  run(image: Qcow2Image): Promise<unknown>;
}

const clusters = 150;
const date = new Date(0);
const filled = (length: number, value: number) => new Uint8Array(length).fill(value);

const changes: readonly Change[] = [
  {
    name: "a write to a new L2 table",
    has: [],
    run: (image) => image.write(100 * clusterSize, filled(3 * clusterSize, 2)),
  },
  {
    name: "a write to an L2 table that a snapshot uses",
    has: ["snapshot"],
    run: (image) => image.write(4 * clusterSize, filled(2 * clusterSize, 2)),
  },
  {
    name: "zeros, and a write to what they have freed",
    has: [],
    async run(image) {
      await image.writeZeroes(3 * clusterSize, 5 * clusterSize);
      await image.flush();
      await image.write(120 * clusterSize, filled(4 * clusterSize, 2));
    },
  },
  {
    name: "writes for which refcounts need more room",
    has: ["snapshot"],
    run: (image) => image.write(0, filled(image.sizeBytes, 2)),
  },
  {
    name: "writes for which the refcount table moves",
    has: ["full refcount table"],
    run: (image) => image.write(0, filled(clusters * clusterSize, 2)),
  },
  { name: "a larger disk", has: ["bitmap"], run: (image) => image.resize(6000 * clusterSize) },
  {
    name: "a smaller disk",
    has: [],
    run: (image) => image.resize(5.5 * clusterSize, { shrink: true }),
  },
  {
    name: "a snapshot, taken and deleted",
    has: ["bitmap"],
    async run(image) {
      await image.createSnapshot("two", { date });
      await image.deleteSnapshot("two");
    },
  },
  { name: "an applied snapshot", has: ["snapshot"], run: (image) => image.applySnapshot("one") },
  {
    name: "bitmaps that come and go",
    has: ["bitmap"],
    async run(image) {
      await image.addBitmap("b", { granularityBytes: 512 });
      await image.mergeBitmap("b", "kept");
      await image.clearBitmap("kept");
      await image.removeBitmap("kept");
    },
  },
  {
    name: "writes that a bitmap records",
    has: ["bitmap"],
    run: (image) => image.write(50 * clusterSize, filled(30 * clusterSize, 2)),
  },
];

const clusterSize = 512;

/** An image whose free clusters are full of ones, so that one that is used before it is written is noticed. */
async function makeImage(has: Change["has"]): Promise<MemoryFile> {
  const memory = new MemoryFile();
  const virtualSizeBytes = clusters * clusterSize;
  await createImage(memory, { virtualSizeBytes, clusterSizeBytes: clusterSize, refcountBits: 64 });
  const { files, finished } = recordedFiles({ image: memory.toBytes() });
  {
    await using image = await openImage(files["image"] as RandomAccess, { mode: "rw" });
    await image.write(0, filled(40 * clusterSize, 0xff));
    await image.writeZeroes(0, 40 * clusterSize);
    await image.flush();
    await image.discard(0, virtualSizeBytes);
    await image.write(2 * clusterSize, filled(9 * clusterSize, 1));
    if (has.includes("snapshot")) await image.createSnapshot("one", { date });
    if (has.includes("snapshot")) await image.write(8 * clusterSize, filled(clusterSize, 3));
    if (has.includes("full refcount table")) {
      // 64 blocks of 64 refcounts are all that one cluster of the table names.
      await image.resize(8 * 4096 * clusterSize);
      await image.write(200 * clusterSize, filled(3870 * clusterSize, 5));
      await image.resize(clusters * clusterSize + 4000 * clusterSize, { shrink: true });
    }
    if (has.includes("bitmap")) {
      await image.addBitmap("kept", { granularityBytes: 512 });
      await image.write(9 * clusterSize, filled(clusterSize, 3));
    }
  }
  return finished()["image"] as MemoryFile;
}

async function contentOf(file: RandomAccess): Promise<{ disk: Uint8Array; saved: string[] }> {
  await using image = await openImage(file);
  const saved: string[] = [];
  for (const { id, name } of await image.snapshots()) {
    if (name !== "one") continue;
    const disk = await firstClusters(await image.openSnapshot(id));
    saved.push(Buffer.from(disk).toString("base64"));
  }
  return { disk: await firstClusters(image), saved };
}

function firstClusters(image: Qcow2Image): Promise<Uint8Array> {
  return image.read(0, Math.min(image.sizeBytes, clusters * clusterSize));
}

describe("a crash that loses any one write, or a third of them", () => {
  it.for(changes)("leaves the old content or the new one: $name", async ({ has, run }) => {
    const start = await makeImage(has);
    const { files, log, crashes, finished } = recordedFiles({ image: start.toBytes() });
    const image = await openImage(files["image"] as RandomAccess, { mode: "rw" });
    await run(image);
    await image.close();
    const before = await contentOf(start);
    const after = await contentOf(finished()["image"] as MemoryFile);
    expect(log.length).toBeGreaterThan(4);
    for (const crashed of crashes()) {
      const file = crashed["image"] as MemoryFile;
      const { errorCount, findings } = await checkImage(file);
      expect(errorCount, JSON.stringify(findings)).toBe(0);
      const { disk, saved } = await contentOf(file);
      expect(saved).toEqual(before.saved);
      const isNeither = (byte: number, at: number) =>
        byte !== before.disk[at] && byte !== after.disk[at];
      expect(disk.findIndex(isNeither)).toBe(-1);
    }
  });
});
