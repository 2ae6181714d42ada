import { MemoryFile, observeFile } from "@box/io";
import { createImage, openImage } from "@box/qcow2";
import { expect, it } from "vitest";

const marker = 0xa5;

it("a bitmap is marked in use on stable storage before anything that it must record is written, and until that is", async () => {
  const file = new MemoryFile();
  await createImage(file, { virtualSizeBytes: 2 ** 20 });
  {
    await using image = await openImage(file, { mode: "rw" });
    await image.addBitmap("backup");
    await image.write(0, new Uint8Array(512).fill(1));
    await image.clearBitmap("backup");
  }
  const steps: string[] = [];
  let flagsAt = -1;
  const before = file.toBytes().slice();
  const watched = observeFile(file, (operation) => {
    if (operation.kind === "flush") steps.push("flush");
    if (operation.kind !== "write") return;
    if (operation.bytes?.[0] === marker) steps.push("data");
    // The only write of four bytes is that of a bitmap's flags.
    if (operation.length === 4 && operation.offset > 104) {
      flagsAt = operation.offset;
      steps.push(operation.bytes?.[3] === 3 ? "mark" : "unmark");
    }
  });
  const image = await openImage(watched, { mode: "rw" });
  await image.write(4096, new Uint8Array(512).fill(marker));
  await image.close();
  expect(flagsAt).toBeGreaterThan(0);
  expect(new DataView(before.buffer).getUint32(flagsAt)).toBe(2);
  const [mark, data, unmark] = ["mark", "data", "unmark"].map((step) => steps.indexOf(step));
  expect(mark).toBeGreaterThanOrEqual(0);
  expect(steps.slice(mark, data)).toContain("flush");
  expect(steps.slice(data, unmark)).toContain("flush");
  expect(steps.slice(unmark)).toContain("flush");
});
