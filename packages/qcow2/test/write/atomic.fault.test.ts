import { MemoryFile, type RandomAccess } from "@box/io";
import {
  allowList,
  amendImage,
  checkImage,
  commitImage,
  createImage,
  openImage,
  Qcow2Error,
  type Qcow2Image,
  rebaseImage,
} from "@box/qcow2";
import { beforeAll, describe, expect, it } from "vitest";
import { afterCrash } from "../support/after-crash.ts";
import { type LogEntry, recorded } from "../support/disk-script.ts";

const clusterSizeBytes = 4096;
const sizeBytes = 32 * clusterSizeBytes;

const baseBytes = new Uint8Array(sizeBytes).fill(0xb0);
const otherBytes = new Uint8Array(sizeBytes).fill(0xb1);

/** The backing files, which never change here but for the one that is committed to. */
const backing = allowList(
  ["base", "other"].map((name, index) => ({
    name,
    open: () => ({ source: new MemoryFile(index === 0 ? baseBytes : otherBytes) }),
  })),
);

/** Changes a file, and says how to close what is still open then. */
type Change = (file: RandomAccess) => Promise<() => Promise<void>>;

const nothing = async (): Promise<void> => {};

function through(change: (image: Qcow2Image) => Promise<void>): Change {
  return async (file) => {
    const image = await openImage(file, { mode: "rw", backing });
    await change(image);
    return () => image.close();
  };
}

function on(change: (file: RandomAccess) => Promise<unknown>): Change {
  return async (file) => {
    await change(file);
    return nothing;
  };
}

/** Changes a file and closes it. */
async function apply(change: Change, file: RandomAccess): Promise<void> {
  await (await change(file))();
}

const base = { name: "base", format: "raw" };
const other = { name: "other", format: "raw" };

/** Changes that happen at one moment: before it all is as it was, and once they have returned no crash takes them back. */
const changes: Readonly<Record<string, Change>> = {
  "lazy refcounts": on((file) => amendImage(file, { hasLazyRefcounts: true })),
  "a width of refcounts": on((file) => amendImage(file, { refcountBits: 64 })),
  "a backing file of another content": on((file) =>
    rebaseImage(file, { newBacking: other, backing }),
  ),
  "a backing file of another name": on((file) =>
    rebaseImage(file, { newBacking: other, isUnsafe: true }),
  ),
  "no backing file": on((file) => rebaseImage(file, { newBacking: null, backing })),
  "a bitmap more": through((image) => image.addBitmap("new")),
  "a bitmap less": through((image) => image.removeBitmap("bits")),
  "a bitmap that is cleared": through((image) => image.clearBitmap("bits")),
  "a bitmap that records": through((image) => image.enableBitmap("bits")),
};

let start: Uint8Array;

beforeAll(async () => {
  const file = new MemoryFile();
  await createImage(file, { virtualSizeBytes: sizeBytes, clusterSizeBytes, backing: base });
  const first = through(async (image) => {
    await image.addBitmap("bits", { granularityBytes: clusterSizeBytes });
    await image.write(0, new Uint8Array(3 * clusterSizeBytes).fill(1));
    await image.writeZeroes(5 * clusterSizeBytes, 2 * clusterSizeBytes);
  });
  await apply(first, file);
  await apply(
    through((image) => image.disableBitmap("bits")),
    file,
  );
  start = file.toBytes();
});

describe("a crash during a change leaves the old state or the new one, and none after it the old one", () => {
  it.for(Object.keys(changes))("%s", async (name) => {
    const file = new MemoryFile(start);
    const { file: observed, log } = recorded(file);
    const close = await changes[name]?.(observed);
    const last = log.length;
    await close?.();
    const states = [await stateOf(new MemoryFile(start)), await stateOf(file)];
    for (let end = 0; end <= last; end++) {
      for (let chance = 0; chance < 6; chance++) {
        const crashed = afterCrash(start, log, end, chance === 0 ? 0 : chance + end);
        const { errorCount, findings } = await checkImage(crashed);
        expect(errorCount, JSON.stringify(findings)).toBe(0);
        const allowed = end === last ? states.slice(1) : states;
        expect(allowed).toContainEqual(await stateOf(crashed));
      }
    }
  });
});

describe("a crash while a bitmap records", () => {
  it("leaves a bitmap that says itself that it is out of date, or that has all that was written", async () => {
    const file = new MemoryFile(start);
    const enabled = through(async (image) => {
      await image.enableBitmap("bits");
      await image.clearBitmap("bits");
    });
    await apply(enabled, file);
    const before = file.toBytes();
    const { file: observed, log } = recorded(file);
    const image = await openImage(observed, { mode: "rw", backing });
    // In place: nothing but the bitmap has to be in the file before it.
    await image.write(0, new Uint8Array(2 * clusterSizeBytes).fill(3));
    await image.bitmaps();
    await image.write(9 * clusterSizeBytes, new Uint8Array(100).fill(2));
    await image.flush();
    await image.writeZeroes(clusterSizeBytes, clusterSizeBytes);
    await image.close();
    const reliable = new Set<string>();
    for (let end = 0; end <= log.length; end++) {
      for (let chance = 0; chance < 6; chance++) {
        const crashed = afterCrash(before, log, end, chance === 0 ? 0 : chance + end);
        const { errorCount, findings } = await checkImage(crashed);
        expect(errorCount, JSON.stringify(findings)).toBe(0);
        const dirty = await dirtyOf(crashed);
        if (typeof dirty === "string") continue;
        reliable.add(dirty.join());
        const changed = await changedClusters(before, crashed);
        expect(changed.filter((cluster) => !dirty.includes(cluster))).toEqual([]);
      }
    }
    expect([...reliable]).toEqual(["", "0,1", "0,1,9"]);
  });

  it("leaves a bitmap that another one is added to as it was, out of date, or with all of that", async () => {
    const file = new MemoryFile(start);
    const added = through(async (image) => {
      await image.addBitmap("more", { granularityBytes: clusterSizeBytes });
      await image.write(20 * clusterSizeBytes, new Uint8Array(4 * clusterSizeBytes).fill(4));
      await image.disableBitmap("more");
    });
    await apply(added, file);
    const before = file.toBytes();
    const { file: observed, log } = recorded(file);
    const close = await through((image) => image.mergeBitmap("bits", "more"))(observed);
    const last = log.length;
    await close();
    const old = (await dirtyOf(new MemoryFile(before))) as number[];
    const merged = [...old, 20, 21, 22, 23];
    for (let end = 0; end <= last; end++) {
      for (let chance = 0; chance < 6; chance++) {
        const crashed = afterCrash(before, log, end, chance === 0 ? 0 : chance + end);
        expect((await checkImage(crashed)).errorCount).toBe(0);
        const allowed = end === last ? [merged] : [old, "QCOW2_BITMAP_IN_USE", merged];
        expect(allowed).toContainEqual(await dirtyOf(crashed));
      }
    }
  });
});

describe("a crash while an image is committed", () => {
  it("leaves a disk that reads the same", async () => {
    const files = { top: new MemoryFile(start), base: new MemoryFile(baseBytes) };
    const order: { readonly of: string; readonly entry: LogEntry }[] = [];
    const logged = (of: "top" | "base"): RandomAccess =>
      recorded(files[of], (entry) => order.push({ of, entry })).file;
    await apply(
      through((image) => image.removeBitmap("bits")),
      files.top,
    );
    const before = files.top.toBytes();
    const source = logged("base");
    await commitImage(logged("top"), {
      target: allowList([{ name: "base", open: () => ({ source }) }]),
    });
    const read = async (top: MemoryFile, below: MemoryFile): Promise<string> => {
      const open = () => ({ source: below });
      await using image = await openImage(top, { backing: allowList([{ name: "base", open }]) });
      return [...(await image.read(0, sizeBytes))].filter((_, at) => at % 512 === 0).join();
    };
    const expected = await read(new MemoryFile(before), new MemoryFile(baseBytes));
    for (let end = 0; end <= order.length; end++) {
      const log = (of: string) =>
        order.slice(0, end).flatMap((one) => (one.of === of ? [one.entry] : []));
      for (let chance = 0; chance < 4; chance++) {
        const top = afterCrash(before, log("top"), Infinity, chance === 0 ? 0 : chance + end);
        const below = afterCrash(baseBytes, log("base"), Infinity, chance + end + 1);
        expect(await read(top, below)).toBe(expected);
        if (end < order.length) continue;
        // Nothing is left in the image: it all comes from below.
        expect(await read(top, new MemoryFile(baseBytes))).not.toBe(expected);
      }
    }
  });
});

/** What an image holds and says, but for where. */
async function stateOf(file: MemoryFile): Promise<unknown> {
  await using image = await openImage(file, { backing });
  const { info } = image;
  const bitmaps = await image.bitmaps();
  return {
    backing: info.backing?.displayName,
    isLazy: info.hasLazyRefcounts,
    refcountBits: info.refcountBits,
    bitmaps: bitmaps.map(({ name, isAuto }) => `${name} ${isAuto}`),
    dirty: await Promise.all(bitmaps.map(({ name }) => dirtyOf(file, name))),
    content: [...(await image.read(0, sizeBytes))].filter((_, at) => at % 512 === 0).join(),
  };
}

/** The clusters that a bitmap marks, or the code that it is refused with. */
async function dirtyOf(file: MemoryFile, name = "bits"): Promise<number[] | string> {
  await using image = await openImage(file, { backing });
  try {
    const clusters: number[] = [];
    for await (const { start: from, length } of image.dirtyRanges(name)) {
      for (let at = from; at < from + length; at += clusterSizeBytes) {
        clusters.push(at / clusterSizeBytes);
      }
    }
    return clusters;
  } catch (error) {
    if (error instanceof Qcow2Error && error.code === "QCOW2_BITMAP_IN_USE") return error.code;
    throw error;
  }
}

async function changedClusters(before: Uint8Array, file: MemoryFile): Promise<number[]> {
  await using old = await openImage(new MemoryFile(before), { backing });
  await using now = await openImage(file, { backing });
  const [a, b] = await Promise.all([old.read(0, sizeBytes), now.read(0, sizeBytes)]);
  return Array.from({ length: 32 }, (_, cluster) => cluster).filter((cluster) => {
    const range = [cluster * clusterSizeBytes, (cluster + 1) * clusterSizeBytes] as const;
    return Buffer.compare(a.subarray(...range), b.subarray(...range)) !== 0;
  });
}
