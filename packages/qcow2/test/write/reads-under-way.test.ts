import { MemoryFile, type RandomAccess } from "@box/io";
import { checkImage, createImage, type Extent, openImage, type Qcow2Image } from "@box/qcow2";
import { describe, expect, it } from "vitest";

const cluster = 4096;
const clusters = 64;
const sizeBytes = clusters * cluster;

/** Ways to make clusters free that a read may be looking at. */
const frees: Readonly<Record<string, (image: Qcow2Image) => Promise<void>>> = {
  "a discard": async (image) => {
    await image.discard(0, sizeBytes);
    await image.flush();
  },
  "a smaller disk": (image) => image.resize(cluster, { shrink: true }),
  "an older snapshot": (image) => image.applySnapshot("empty"),
  "a deleted snapshot": async (image) => {
    await image.createSnapshot("full", { date: new Date(0) });
    await image.discard(0, sizeBytes);
    await image.deleteSnapshot("full");
  },
};

describe("a read that is under way", () => {
  it.for(Object.keys(frees))("gets what was there before %s, also for long after", async (name) => {
    const file = new HeldFile();
    await using image = await fullImage(file);
    const held = file.holdReadOf(cluster);
    const reading = image.read(40 * cluster, cluster);
    await held.isHeld;
    const changing = (frees[name] as (typeof frees)[string])(image)
      .then(() => image.resize(2 * sizeBytes))
      .then(() => image.write(sizeBytes, filled(sizeBytes, 9)))
      .then(() => image.flush());
    await Promise.race([changing, turns(500)]);
    held.release();
    expect(await reading).toEqual(filled(cluster, 41));
    await changing;
    expect(await image.read(sizeBytes, sizeBytes)).toEqual(filled(sizeBytes, 9));
    expect((await checkImage(file)).counters).toMatchObject({ corruptions: 0, leaks: 0 });
  });

  it("does not hold up what frees nothing", async () => {
    const file = new HeldFile();
    await using image = await fullImage(file);
    const held = file.holdReadOf(cluster);
    const reading = image.read(40 * cluster, cluster);
    await held.isHeld;
    await image.write(0, filled(cluster, 77));
    await image.flush();
    held.release();
    expect(await reading).toEqual(filled(cluster, 41));
  });
});

describe("a walk over the extents that is under way", () => {
  it("sees the disk of before a change, not what its tables are used for then", async () => {
    const file = new HeldFile();
    await (await fullImage(file)).close();
    await using image = await openImage(file, { mode: "rw" });
    const held = file.holdReadOf(cluster);
    const walking = all(image.extents());
    await held.isHeld;
    const changing = image.applySnapshot("empty");
    await Promise.race([changing, turns(500)]);
    held.release();
    const kinds = (await walking).map(({ kind }) => kind);
    expect(new Set(kinds)).toEqual(new Set(["data"]));
    await changing;
    expect(await all(image.extents())).toMatchObject([{ kind: "unallocated" }]);
  });

  it("ends where the disk does once it is smaller", async () => {
    await using image = await fullImage(new MemoryFile());
    await image.discard(8 * cluster, cluster);
    const walk = image.extents();
    expect(await walk.next()).toMatchObject({ value: { start: 0 } });
    await image.resize(16 * cluster, { shrink: true });
    const rest = await all(walk);
    const { start, length } = rest.at(-1) as Extent;
    expect(start + length).toBe(16 * cluster);
  });

  it("ends with the snapshot that it is over", async () => {
    const file = new MemoryFile();
    const virtualSizeBytes = 2 ** 26;
    await createImage(file, { virtualSizeBytes, clusterSizeBytes: cluster });
    await using image = await openImage(file, { mode: "rw" });
    for (let at = 0; at < virtualSizeBytes; at += 2 ** 21) await image.write(at, filled(1, 1));
    await image.createSnapshot("full", { date: new Date(0) });
    await image.writeZeroes(0, virtualSizeBytes);
    const walk = (await image.openSnapshot("full")).extents();
    await walk.next();
    await image.deleteSnapshot("full");
    await image.write(0, filled(2 ** 22, 0xff));
    await image.flush();
    await expect(all(walk)).rejects.toMatchObject({ code: "QCOW2_SNAPSHOT_NOT_FOUND" });
  });
});

describe("a walk over a bitmap that is under way", () => {
  it("says that the bitmap is in use once it changes, whatever its clusters hold by then", async () => {
    const file = new HeldFile();
    await using image = await fullImage(file);
    await image.addBitmap("b", { granularityBytes: 512 });
    await image.write(0, filled(sizeBytes, 1));
    await image.bitmaps();
    const held = file.holdReadOf(8);
    const walking = all(image.dirtyRanges("b"));
    await held.isHeld;
    await image.removeBitmap("b");
    await image.resize(2 * sizeBytes);
    await image.write(sizeBytes, filled(sizeBytes, 0xff));
    await image.flush();
    held.release();
    await expect(walking).rejects.toMatchObject({ code: "QCOW2_BITMAP_IN_USE" });
  });

  it.for([1, 2])("says so behind range %s of two as well", async (count) => {
    await using image = await fullImage(new MemoryFile());
    await image.addBitmap("b");
    await image.write(0, filled(1, 1));
    await image.write(2 ** 17, filled(1, 1));
    const walk = image.dirtyRanges("b");
    for (let done = 0; done < count; done++) expect((await walk.next()).done).toBe(false);
    await image.clearBitmap("b");
    await expect(walk.next()).rejects.toMatchObject({ code: "QCOW2_BITMAP_IN_USE" });
  });
});

/** An image in which cluster n is filled with n + 1, with a snapshot of the disk when it was empty. */
async function fullImage(file: RandomAccess): Promise<Qcow2Image> {
  await createImage(file, { virtualSizeBytes: sizeBytes, clusterSizeBytes: cluster });
  const image = await openImage(file, { mode: "rw" });
  await image.createSnapshot("empty", { date: new Date(0) });
  for (let index = 0; index < clusters; index++) {
    await image.write(index * cluster, filled(cluster, index + 1));
  }
  await image.flush();
  return image;
}

async function all<Value>(walk: AsyncIterable<Value>): Promise<Value[]> {
  const values: Value[] = [];
  for await (const value of walk) values.push(value);
  return values;
}

function filled(length: number, byte: number): Uint8Array {
  return new Uint8Array(length).fill(byte);
}

async function turns(count: number): Promise<void> {
  for (let done = 0; done < count; done++) await new Promise(setImmediate);
}

interface Held {
  /** Resolves once a read waits. */
  readonly isHeld: Promise<void>;
  /** Lets it go on. */
  readonly release: () => void;
}

/** A file of which a read can be made to wait, before it looks at the bytes. */
class HeldFile extends MemoryFile {
  #next: { length: number; held: () => void; released: Promise<void> } | undefined;

  /** Makes the next read of that many bytes wait. */
  holdReadOf(length: number): Held {
    const { promise: isHeld, resolve: held } = Promise.withResolvers<void>();
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    this.#next = { length, held, released };
    return { isHeld, release };
  }

  override async read(offset: number, length: number, into?: Uint8Array): Promise<Uint8Array> {
    const next = this.#next;
    if (next?.length === length) {
      this.#next = undefined;
      next.held();
      await next.released;
    }
    return super.read(offset, length, into);
  }
}
