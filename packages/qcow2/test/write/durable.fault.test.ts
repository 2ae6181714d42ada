import { MemoryFile, type RandomAccess } from "@box/io";
import { allowList, checkStructure, createImage, openImage, type Qcow2Image } from "@box/qcow2";
import { describe, expect, it } from "vitest";
import { afterCrash } from "../support/after-crash.ts";
import { type LogEntry, layouts, recorded } from "../support/disk-script.ts";

/** What a change of a disk has put into its files when it says that it is safe. */
interface Promised {
  readonly name: string;
  /** Carried out after some clusters were written and flushed. */
  run(image: Qcow2Image, clusterSize: number): Promise<void>;
}

const date = new Date(0);
const promises: readonly Promised[] = [
  { name: "a flush", run: (image) => image.flush() },
  { name: "closing", run: (image) => image.close() },
  {
    name: "a flush of what is written in place",
    async run(image, clusterSize) {
      await image.flush();
      await image.write(2 * clusterSize, new Uint8Array(100).fill(3));
      await image.flush();
    },
  },
  {
    name: "closing after a write in place",
    async run(image, clusterSize) {
      await image.flush();
      await image.write(2 * clusterSize, new Uint8Array(100).fill(3));
      await image.close();
    },
  },
  {
    name: "a smaller disk",
    run: (image, clusterSize) => image.resize(20.5 * clusterSize, { shrink: true }),
  },
  { name: "a larger disk", run: (image, clusterSize) => image.resize(4000 * clusterSize) },
  { name: "a snapshot", run: async (image) => void (await image.createSnapshot("one", { date })) },
  {
    name: "an applied snapshot",
    async run(image) {
      await image.createSnapshot("one", { date });
      await image.write(0, Uint8Array.of(99));
      await image.applySnapshot("one");
    },
  },
  {
    name: "a deleted snapshot",
    async run(image) {
      await image.createSnapshot("one", { date });
      await image.deleteSnapshot("one");
    },
  },
];

const names = Object.keys(layouts).filter((name) => !/2 MiB|of 1 bit|of 2 bits/.test(name));

describe("what has returned is kept by any crash", () => {
  for (const promised of promises) {
    it.for(names)(`after ${promised.name}: %s`, async (name) => {
      const options = layouts[name] ?? {};
      if (options.version === 2 && /disk/.test(promised.name)) return;
      const clusterSize = options.clusterSizeBytes ?? 65536;
      const memory = new MemoryFile();
      await createImage(memory, { virtualSizeBytes: 24 * clusterSize, ...options });
      const start = memory.toBytes();
      const { file, log } = recorded(memory);
      const image = await openImage(file, { mode: "rw" });
      await image.write(clusterSize / 2, new Uint8Array(6 * clusterSize).fill(1));
      await image.flush();
      await image.write(3 * clusterSize, new Uint8Array(2 * clusterSize).fill(2));
      await image.writeZeroes(clusterSize, clusterSize);
      await promised.run(image, clusterSize);
      const expected = await contentOf(new MemoryFile(memory.toBytes()));
      for (const chance of [1, 2, 3, 4]) {
        const crashed = afterCrash(start, log, log.length, chance);
        await checkStructure(crashed);
        expect(await contentOf(crashed)).toEqual(expected);
      }
    });
  }
});

async function contentOf(file: MemoryFile): Promise<unknown> {
  await using image = await openImage(file);
  const { sizeBytes } = image;
  const snapshots = await image.snapshots();
  const disks = [image, ...(await Promise.all(snapshots.map(({ id }) => image.openSnapshot(id))))];
  const length = Math.min(sizeBytes, 25 * image.info.clusterSizeBytes);
  const read = await Promise.all(disks.map((disk) => disk.read(0, length)));
  return { sizeBytes, names: snapshots.map(({ name }) => name), read: read.map(summary) };
}

/** Where the bytes of a disk change, which is quicker to compare and to show than all of them. */
function summary(bytes: Uint8Array): string {
  const parts: string[] = [];
  for (let at = 0; at < bytes.byteLength; at++) {
    if (at === 0 || bytes[at] !== bytes[at - 1]) parts.push(`${at}:${bytes[at]}`);
  }
  return parts.join(" ");
}

describe("an image with an external data file", () => {
  it("has its data on stable storage before a table names it", async () => {
    const clusterSizeBytes = 4096;
    const size = 16 * clusterSizeBytes;
    const files = {
      image: new MemoryFile(),
      data: new MemoryFile(new Uint8Array(size).fill(0xee)),
    };
    await createImage(files.image, {
      virtualSizeBytes: size,
      clusterSizeBytes,
      dataFile: { name: "data" },
    });
    const before = { image: files.image.toBytes(), data: files.data.toBytes() };
    const order: { readonly of: string; readonly entry: LogEntry }[] = [];
    const logged = (of: "image" | "data"): RandomAccess =>
      recorded(files[of], (entry) => order.push({ of, entry })).file;
    const open = (source: RandomAccess, data: RandomAccess, mode: "r" | "rw") =>
      openImage(source, {
        mode,
        dataFile: allowList([{ name: "data", open: () => ({ source: data }) }]),
      });
    {
      await using image = await open(logged("image"), logged("data"), "rw");
      await image.write(clusterSizeBytes, new Uint8Array(2 * clusterSizeBytes).fill(7));
      await image.flush();
    }
    const seen = new Set<string>();
    for (let end = 0; end <= order.length; end++) {
      const log = (of: string) =>
        order.slice(0, end).flatMap((one) => (one.of === of ? [one.entry] : []));
      // The image has all that was written, and its data file only what was flushed.
      const data = log("data");
      const safe = data.slice(0, data.findLastIndex(({ kind }) => kind === "flush") + 1);
      const image = afterCrash(before.image, log("image"), Infinity, 0);
      await using again = await open(image, afterCrash(before.data, safe, Infinity, 0), "r");
      seen.add([...new Set(await again.read(0, size))].join());
    }
    // Never what the data file had there before.
    expect([...seen]).toEqual(["0", "0,7"]);
  });
});
