import { MemoryFile, observeFile } from "@box/io";
import { createImage, openImage, type Qcow2Image } from "@box/qcow2";
import { describe, expect, it } from "vitest";
import { failing } from "../support/failing.ts";

const date = new Date(0);
const clusterSizeBytes = 4096;
const notFound = { code: "QCOW2_SNAPSHOT_NOT_FOUND" };

/** An image with snapshots named after their numbers; the disk of each begins with its number. */
async function imageOf(count: number): Promise<MemoryFile> {
  const file = new MemoryFile();
  await createImage(file, { virtualSizeBytes: 2 ** 20, clusterSizeBytes });
  await using image = await openImage(file, { mode: "rw" });
  for (let number = 1; number <= count; number++) {
    await image.write(0, Uint8Array.of(number));
    await image.createSnapshot(`number ${number}`, { date });
  }
  return file;
}

async function firstByte(image: Qcow2Image, idOrName: string): Promise<number | undefined> {
  return (await (await image.openSnapshot(idOrName)).read(0, 1))[0];
}

describe("openSnapshot", () => {
  it("reads the table once, however many snapshots are opened", async () => {
    const file = await imageOf(40);
    const tableAt = Number(new DataView(file.toBytes().buffer).getBigUint64(64));
    let reads = 0;
    const observed = observeFile(file, ({ kind, offset = -1 }) => {
      if (kind === "read" && offset >= tableAt && offset < tableAt + clusterSizeBytes) reads++;
    });
    await using image = await openImage(observed);
    for (let number = 1; number <= 40; number++) {
      expect(await firstByte(image, `number ${number}`)).toBe(number);
      expect(await firstByte(image, String(number))).toBe(number);
    }
    expect(reads).toBe(1);
  });

  it("knows what was taken and deleted since", async () => {
    await using image = await openImage(await imageOf(2), { mode: "rw" });
    expect(await firstByte(image, "number 2")).toBe(2);
    await image.deleteSnapshot("number 2");
    await expect(image.openSnapshot("number 2")).rejects.toMatchObject(notFound);
    await image.write(0, Uint8Array.of(77));
    await image.createSnapshot("number 2", { date });
    expect(await firstByte(image, "number 2")).toBe(77);
    expect(await firstByte(image, "number 1")).toBe(1);
  });

  it("takes the id before the name, and the first of several", async () => {
    const file = new MemoryFile();
    await createImage(file, { virtualSizeBytes: 2 ** 20, clusterSizeBytes });
    await using image = await openImage(file, { mode: "rw" });
    for (const [index, name] of ["2", "same", "same"].entries()) {
      await image.write(0, Uint8Array.of(index + 1));
      await image.createSnapshot(name, { date });
    }
    expect(await firstByte(image, "2")).toBe(2);
    expect(await firstByte(image, "same")).toBe(2);
  });

  it("reads the table again after that has failed", async () => {
    const storage = failing(
      observeFile(await imageOf(1), () => {}),
      0,
    );
    await using image = await openImage(storage.file);
    storage.at = storage.calls + 1;
    await expect(image.openSnapshot("1")).rejects.toMatchObject({ code: "QCOW2_IO" });
    expect(await firstByte(image, "1")).toBe(1);
  });

  it("does not open a snapshot that is deleted while its table is read", async () => {
    const file = await imageOf(1);
    const tableAt = Number(new DataView(file.toBytes().buffer).getBigUint64(64));
    const deleted = Promise.withResolvers<void>();
    let isFirst = true;
    const observed = observeFile(file, async ({ kind, offset = -1 }) => {
      if (kind === "write" && offset < clusterSizeBytes) deleted.resolve();
      if (kind !== "read" || offset !== tableAt || !isFirst) return;
      isFirst = false;
      await deleted.promise;
    });
    await using image = await openImage(observed, { mode: "rw" });
    const opening = image.openSnapshot("1");
    await image.deleteSnapshot("1");
    await expect(opening).rejects.toMatchObject(notFound);
  });

  it("ends every image of a snapshot that is deleted, however it was opened", async () => {
    await using image = await openImage(await imageOf(2), { mode: "rw" });
    const first = await image.openSnapshot("1");
    const second = await first.openSnapshot("2");
    expect((await second.read(0, 1))[0]).toBe(2);
    await image.deleteSnapshot("2");
    await expect(second.read(0, 1)).rejects.toMatchObject(notFound);
    expect((await first.read(0, 1))[0]).toBe(1);
  });
});
