import { MemoryFile } from "@box/io";
import { checkImage, createImage, inspectImage, openImage, type Qcow2Image } from "@box/qcow2";
import { expect, it } from "vitest";

const changes: Readonly<Record<string, (image: Qcow2Image) => Promise<void>>> = {
  addBitmap: (image) => image.addBitmap("new"),
  removeBitmap: (image) => image.removeBitmap("one"),
  clearBitmap: (image) => image.clearBitmap("one"),
  enableBitmap: (image) => image.enableBitmap("other"),
  disableBitmap: (image) => image.disableBitmap("one"),
  mergeBitmap: (image) => image.mergeBitmap("other", "one"),
};

it.each(Object.keys(changes))("%s clears autoclear bits that are not known", async (name) => {
  const file = new MemoryFile();
  await createImage(file, { virtualSizeBytes: 2 ** 20 });
  {
    await using image = await openImage(file, { mode: "rw" });
    await image.addBitmap("one");
    await image.addBitmap("other", { isEnabled: false });
  }
  const [bits = 0] = await file.read(95, 1);
  await file.write(95, Uint8Array.of(bits | 0x20));
  {
    await using image = await openImage(file, { mode: "rw" });
    await changes[name]?.(image);
  }
  expect((await inspectImage(file)).features.autoclear).toBe(1n);
  expect((await checkImage(file)).findings).toEqual([]);
});
