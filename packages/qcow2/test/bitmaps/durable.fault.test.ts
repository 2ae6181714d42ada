import { MemoryFile, observeFile } from "@box/io";
import { checkImage, createImage, openImage, type Qcow2Image } from "@box/qcow2";
import { describe, expect, it } from "vitest";
import { afterCrash } from "../support/after-crash.ts";
import { recorded } from "../support/disk-script.ts";

/** An image with two bitmaps that record and some bytes that they both have. */
async function markedImage(): Promise<MemoryFile> {
  const file = new MemoryFile();
  await createImage(file, { virtualSizeBytes: 2 ** 20, clusterSizeBytes: 4096 });
  await using image = await openImage(file, { mode: "rw" });
  await image.addBitmap("one", { granularityBytes: 512 });
  await image.addBitmap("two", { granularityBytes: 4096 });
  await image.write(8192, new Uint8Array(8192).fill(1));
  return file;
}

async function stateOf(file: MemoryFile): Promise<unknown> {
  await using image = await openImage(file);
  const states: unknown[] = [];
  for (const bitmap of await image.bitmaps()) {
    const ranges: unknown[] = [];
    for await (const range of image.dirtyRanges(bitmap.name)) ranges.push(range);
    states.push({ ...bitmap, ranges });
  }
  return states;
}

const changes: Readonly<Record<string, (image: Qcow2Image) => Promise<unknown>>> = {
  addBitmap: (image) => image.addBitmap("three"),
  removeBitmap: (image) => image.removeBitmap("one"),
  clearBitmap: (image) => image.clearBitmap("one"),
  enableBitmap: async (image) => {
    await image.disableBitmap("one");
    await image.enableBitmap("one");
  },
  disableBitmap: (image) => image.disableBitmap("one"),
  mergeBitmap: (image) => image.mergeBitmap("one", "two"),
  "a list of the bitmaps after a write": async (image) => {
    await image.write(65536, Uint8Array.of(1));
    await image.bitmaps();
  },
};

describe("bitmaps", () => {
  it.for(Object.keys(changes))("are as %s left them after any crash that follows", async (name) => {
    const start = await markedImage();
    const { file, log } = recorded(new MemoryFile(start.toBytes()));
    const image = await openImage(file, { mode: "rw" });
    await changes[name]?.(image);
    const { findings } = await checkImage(afterCrash(start.toBytes(), log, log.length, 0));
    expect(findings).toEqual([]);
    const lastFlush = log.findLastIndex(({ kind }) => kind === "flush");
    const kept = log.slice(0, lastFlush + 1);
    const state = await stateOf(afterCrash(start.toBytes(), kept, kept.length, 0));
    expect(state).toEqual(await stateOf(afterCrash(start.toBytes(), log, log.length, 0)));
    expect(JSON.stringify(state)).not.toContain('"isInUse":true');
  });

  it("of a merge are marked in use on stable storage before and while they change", async () => {
    const steps: string[] = [];
    const watched = observeFile(await markedImage(), ({ kind, length, bytes }) => {
      if (kind === "flush") steps.push("flush");
      if (kind === "write" && length === 4) steps.push((bytes?.[3] ?? 0) & 1 ? "mark" : "unmark");
      if (kind === "write" && length === 4096) steps.push("bits");
    });
    await using image = await openImage(watched, { mode: "rw" });
    await image.mergeBitmap("one", "two");
    expect(steps).toEqual(["mark", "flush", "bits", "flush", "unmark", "flush"]);
  });
});

it("an unknown autoclear bit is gone from stable storage before data is written in place", async () => {
  const file = new MemoryFile();
  await createImage(file, { virtualSizeBytes: 2 ** 20, clusterSizeBytes: 4096 });
  {
    await using image = await openImage(file, { mode: "rw" });
    await image.write(0, new Uint8Array(4096).fill(1));
  }
  // Says that something else describes the data: it would no longer.
  await file.write(88, Uint8Array.of(0x40));
  const steps: string[] = [];
  const watched = observeFile(file, ({ kind, offset, bytes }) => {
    if (kind === "flush") steps.push("flush");
    if (kind === "write") steps.push(offset < 4096 ? "header" : String(bytes?.[0]));
  });
  await using image = await openImage(watched, { mode: "rw" });
  await image.write(0, new Uint8Array(4096).fill(2));
  expect(steps).toEqual(["header", "flush", "2"]);
});
