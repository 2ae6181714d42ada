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

it("a snapshot that is taken is told as it is listed afterwards", async () => {
  const file = new MemoryFile();
  await createImage(file, { virtualSizeBytes: 2 ** 20 });
  await using image = await openImage(file, { mode: "rw" });
  for (const name of ["first", "a second one of another length"]) {
    await image.write(0, Uint8Array.of(1));
    const taken = await image.createSnapshot(name, { date });
    expect(taken).toEqual((await image.snapshots()).at(-1));
    expect(taken.l1Table.offset).toBeGreaterThan(0);
  }
});

it("snapshots whose ids look alike are told apart by the bytes of their ids", async () => {
  const file = new MemoryFile();
  await createImage(file, { virtualSizeBytes: 2 ** 20 });
  const image = await openImage(file, { mode: "rw" });
  for (const name of ["first", "second", "\uFFFD"]) await image.createSnapshot(name, { date });
  const taken = await image.snapshots();
  await image.close();
  // Ids of one control character, which is shown as U+FFFD.
  for (const [index, { entryOffset }] of taken.slice(0, 2).entries()) {
    await file.write(entryOffset + 40 + 24, Uint8Array.of(index + 1));
  }
  await using again = await openImage(file, { mode: "rw" });
  const [first, second, third] = await again.snapshots();
  expect(first).toMatchObject({ id: "\uFFFD", idBytes: Uint8Array.of(1), name: "first" });
  await again.deleteSnapshot(second?.idBytes ?? "");
  expect(await again.snapshots()).toMatchObject([{ name: first?.name }, { name: third?.name }]);
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
