import { MemoryFile, type RandomAccess } from "@box/io";
import { allowList, createImage, openImage } from "@box/qcow2";
import { expect, it } from "vitest";

/** Fills what it is asked for behind its end with bytes that the file does not have. */
function padded(file: MemoryFile): RandomAccess {
  return {
    size: () => file.size(),
    read: async (offset, length) => {
      const bytes = new Uint8Array(length).fill(238);
      bytes.set(await file.read(offset, length));
      return bytes;
    },
  };
}

it("a source that fills up its answers does not make the disk say something else", async () => {
  const base = new MemoryFile(new Uint8Array(1536).fill(1));
  const file = new MemoryFile();
  await createImage(file, { virtualSizeBytes: 2 ** 20, backing: { name: "base", format: "raw" } });
  await using image = await openImage(file, {
    backing: allowList([
      { name: "base", open: async () => ({ source: padded(base), format: "raw" }) },
    ]),
  });
  const expected = new Uint8Array(4096).fill(1, 0, 1536);
  expect(await image.read(0, 4096)).toEqual(expected);
});

it("nor when the file's end cuts the image's last cluster", async () => {
  const file = new MemoryFile();
  await createImage(file, { virtualSizeBytes: 2 ** 20 });
  const written = await openImage(file, { mode: "rw" });
  await written.write(0, new Uint8Array(65_536).fill(9));
  await written.close();
  const cut = new MemoryFile(file.toBytes().slice(0, -60_000));
  await using image = await openImage(padded(cut));
  const expected = new Uint8Array(65_536).fill(9, 0, 5536);
  expect(await image.read(0, 65_536)).toEqual(expected);
});
