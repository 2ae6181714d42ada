import { MemoryFile } from "@box/io";
import { checkImage, createImage, openImage } from "@box/qcow2";
import { expect, it } from "vitest";

const date = new Date(0);

it("a cluster is shared as often as its refcount can count, and no more", async () => {
  const file = new MemoryFile();
  await createImage(file, { virtualSizeBytes: 2 ** 20, refcountBits: 2 });
  await using image = await openImage(file, { mode: "rw" });
  await image.write(0, Uint8Array.of(1));
  await image.createSnapshot("one", { date });
  await image.createSnapshot("two", { date });
  const before = file.toBytes();
  await expect(image.createSnapshot("three", { date })).rejects.toMatchObject({
    code: "QCOW2_REFCOUNT_OVERFLOW",
  });
  expect(await image.snapshots()).toHaveLength(2);
  expect(Buffer.compare(file.toBytes(), before)).toBe(0);
  expect((await checkImage(file)).findings).toEqual([]);
});

it.for(["delete", "apply"] as const)("a snapshot is found by its id first: %s", async (change) => {
  const file = new MemoryFile();
  await createImage(file, { virtualSizeBytes: 2 ** 20 });
  await using image = await openImage(file, { mode: "rw" });
  for (const [index, name] of ["2", "other"].entries()) {
    await image.write(0, Uint8Array.of(1 + index));
    await image.createSnapshot(name, { date });
  }
  await image.write(0, Uint8Array.of(9));
  if (change === "apply") {
    await image.applySnapshot("2");
    expect((await image.read(0, 1))[0]).toBe(2);
  } else {
    await image.deleteSnapshot("2");
    expect(await image.snapshots()).toMatchObject([{ id: "1", name: "2" }]);
  }
});
