import { MemoryFile } from "@box/io";
import { createImage, openImage } from "@box/qcow2";
import { describe, expect, it } from "vitest";
import { recorded } from "../support/disk-script.ts";

const invalid = { code: "QCOW2_INVALID_ARGUMENT", kind: "invalid-argument" };
const date = new Date(0);

async function imageWithSnapshot(): Promise<MemoryFile> {
  const file = new MemoryFile();
  await createImage(file, { virtualSizeBytes: 2 ** 20, clusterSizeBytes: 4096 });
  await using image = await openImage(file, { mode: "rw" });
  await image.createSnapshot("one", { date });
  return file;
}

describe("createSnapshot", () => {
  it.each([
    ["before 1970", new Date(-1)],
    ["in 2106", new Date(2 ** 32 * 1000)],
    ["that is none", new Date(Number.NaN)],
  ])("refuses a date %s", async (_, wrong) => {
    const { file, log } = recorded(await imageWithSnapshot());
    await using image = await openImage(file, { mode: "rw" });
    await expect(image.createSnapshot("two", { date: wrong })).rejects.toMatchObject(invalid);
    expect(log).toEqual([]);
  });

  it.each([
    ["without a byte", ""],
    ["of 256 bytes", "n".repeat(256)],
    ["with NUL", "a\0b"],
  ])("refuses a name %s", async (_, name) => {
    const { file, log } = recorded(await imageWithSnapshot());
    await using image = await openImage(file, { mode: "rw" });
    await expect(image.createSnapshot(name, { date })).rejects.toMatchObject(invalid);
    expect(log).toEqual([]);
  });

  it("takes the first and the last date and the longest name", async () => {
    await using image = await openImage(await imageWithSnapshot(), { mode: "rw" });
    const last = new Date(2 ** 32 * 1000 - 1);
    await image.createSnapshot("n".repeat(255), { date: last });
    const [first, second] = await image.snapshots();
    expect(first).toMatchObject({ dateSeconds: 0, dateNanoseconds: 0 });
    expect(second).toMatchObject({ dateSeconds: 2 ** 32 - 1, dateNanoseconds: 999_000_000 });
    expect(second?.name).toHaveLength(255);
  });
});

describe("a snapshot whose disk is too large", () => {
  it.each([
    [2n ** 52n, "QCOW2_IMAGE_TOO_LARGE"],
    [2n ** 53n, "QCOW2_SNAPSHOT_INVALID"],
  ])("is not applied: %d bytes", async (size, code) => {
    const memory = await imageWithSnapshot();
    const bytes = memory.toBytes();
    const view = new DataView(bytes.buffer);
    view.setBigUint64(Number(view.getBigUint64(64)) + 48, size);
    const { file, log } = recorded(new MemoryFile(bytes));
    await using image = await openImage(file, { mode: "rw" });
    await expect(image.applySnapshot("1")).rejects.toMatchObject({ code });
    expect(log).toEqual([]);
    expect(image.sizeBytes).toBe(2 ** 20);
  });
});
