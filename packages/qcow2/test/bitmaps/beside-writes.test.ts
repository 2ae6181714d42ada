import { MemoryFile } from "@box/io";
import { checkImage, createImage, openImage, type Qcow2Image } from "@box/qcow2";
import { expect, it } from "vitest";

const clusterBytes = 4096;

async function imageWith(...names: string[]): Promise<MemoryFile> {
  const file = new MemoryFile();
  await createImage(file, { virtualSizeBytes: 2 ** 22, clusterSizeBytes: clusterBytes });
  await using image = await openImage(file, { mode: "rw" });
  for (const name of names) await image.addBitmap(name, { granularityBytes: clusterBytes });
  if (names.includes("off")) await image.disableBitmap("off");
  await image.write(2 ** 20, Uint8Array.of(1));
  return file;
}

async function marked(image: Qcow2Image, name: string): Promise<number[]> {
  const starts: number[] = [];
  for await (const { start, length } of image.dirtyRanges(name)) {
    for (let at = start; at < start + length; at += clusterBytes) starts.push(at);
  }
  return starts;
}

/** Each is called while a write is under way; and the bitmaps that have to know of the writes that come after it. */
const changes: readonly {
  readonly name: string;
  readonly recording: readonly string[];
  readonly run: (image: Qcow2Image) => Promise<unknown>;
}[] = [
  { name: "adding one", recording: ["one", "new"], run: (image) => image.addBitmap("new") },
  { name: "removing one", recording: ["two"], run: (image) => image.removeBitmap("one") },
  { name: "clearing one", recording: ["one", "two"], run: (image) => image.clearBitmap("one") },
  { name: "enabling one", recording: ["off", "one"], run: (image) => image.enableBitmap("off") },
  { name: "disabling one", recording: ["two"], run: (image) => image.disableBitmap("one") },
  { name: "merging", recording: ["one", "two"], run: (image) => image.mergeBitmap("one", "two") },
  { name: "resizing", recording: ["one", "two"], run: (image) => image.resize(2 ** 23) },
  { name: "listing them", recording: ["one", "two"], run: (image) => image.bitmaps() },
  { name: "reading one", recording: ["one", "two"], run: (image) => marked(image, "one") },
];

it.for(changes)("$name beside writes keeps all of them true", async ({ run, recording }) => {
  for (let before = 0; before < 4; before++) {
    const file = await imageWith("one", "two", "off");
    {
      await using image = await openImage(file, { mode: "rw" });
      const content = (index: number) => new Uint8Array(clusterBytes).fill(100 + index);
      const writes = (first: number) =>
        [0, 1, 2].map((index) =>
          image.write((first + index) * clusterBytes, content(first + index)),
        );
      await Promise.all(writes(0).slice(0, before));
      await Promise.all([...writes(3), run(image), ...writes(6)]);
      await Promise.all(writes(9));
    }
    await using image = await openImage(file);
    for (let index = 3; index < 12; index++) {
      const found = await image.read(index * clusterBytes, clusterBytes);
      expect(found.every((byte) => byte === 100 + index)).toBe(true);
    }
    for (const name of recording) {
      expect(await marked(image, name)).toEqual(
        expect.arrayContaining([9, 10, 11].map((index) => index * clusterBytes)),
      );
    }
    expect((await image.bitmaps()).filter(({ isInUse }) => isInUse)).toEqual([]);
    expect((await checkImage(file)).findings).toEqual([]);
  }
});

it("a change that is refused beside writes changes nothing", async () => {
  const file = await imageWith("one");
  await using image = await openImage(file, { mode: "rw" });
  const [, added] = await Promise.allSettled([
    image.write(0, Uint8Array.of(1)),
    image.addBitmap("one"),
  ]);
  expect(added).toMatchObject({ reason: { code: "QCOW2_BITMAP_EXISTS" } });
  await image.write(8192, Uint8Array.of(1));
  expect(await marked(image, "one")).toEqual([0, 8192, 2 ** 20]);
});

it("a bitmap is not merged into an image that was closed meanwhile", async () => {
  const [one, other] = [await imageWith("one"), await imageWith("one")];
  await using source = await openImage(other, { mode: "rw" });
  const image = await openImage(one, { mode: "rw" });
  const merging = image.mergeBitmap("one", "one", { image: source });
  const closing = image.close();
  await expect(merging).rejects.toMatchObject({ code: "QCOW2_INVALID_ARGUMENT" });
  await closing;
  const { findings } = await checkImage(one);
  expect(findings).toEqual([]);
});

it("a bitmap is merged from an open snapshot of the image itself as from the image", async () => {
  const file = await imageWith("one", "two");
  await using image = await openImage(file, { mode: "rw" });
  await image.clearBitmap("one");
  const { id } = await image.createSnapshot("now", { date: new Date(0) });
  await image.mergeBitmap("one", "two", { image: await image.openSnapshot(id) });
  expect(await marked(image, "one")).toEqual([2 ** 20]);
});

it("bitmaps that are merged into each other at the same time stay usable", async () => {
  const files = [await imageWith("one"), await imageWith("one")] as const;
  await using first = await openImage(files[0], { mode: "rw" });
  await using second = await openImage(files[1], { mode: "rw" });
  await Promise.allSettled([
    first.mergeBitmap("one", "one", { image: second }),
    second.mergeBitmap("one", "one", { image: first }),
  ]);
  for (const image of [first, second]) {
    expect(await image.bitmaps()).toMatchObject([{ name: "one", isInUse: false }]);
    expect(await marked(image, "one")).toEqual([2 ** 20]);
  }
});
