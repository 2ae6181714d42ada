import { MemoryFile, type RandomAccess } from "@box/io";
import { createImage, openImage } from "@box/qcow2";
import { describe, expect, it } from "vitest";

/** A file whose storage cannot be truncated. */
function untruncatable(file: MemoryFile): RandomAccess {
  return {
    size: () => file.size(),
    read: (...args) => file.read(...args),
    write: (...args) => file.write(...args),
    flush: async () => {},
  };
}

describe.each([512, 65_536, 2 ** 21])("an image with clusters of %i bytes", (clusterSizeBytes) => {
  it.each([
    ["that can be truncated", (file: MemoryFile): RandomAccess => file],
    ["that cannot", untruncatable],
  ])("ends with a whole cluster once it is flushed, in a file %s", async (_, storageOf) => {
    const file = new MemoryFile();
    await createImage(file, { virtualSizeBytes: 2 ** 23, clusterSizeBytes });
    await using image = await openImage(storageOf(file), { mode: "rw" });
    for (const at of [3, 2]) {
      await image.write(at * clusterSizeBytes, new Uint8Array(100).fill(at));
      await image.flush();
      expect((await file.size()) % clusterSizeBytes).toBe(0);
    }
    // On a device with old bytes behind it, the disk reads as before.
    const device = new MemoryFile(new Uint8Array(2 ** 25).fill(171));
    await device.write(0, file.toBytes());
    await using copy = await openImage(device);
    const cluster = new Uint8Array(clusterSizeBytes).fill(3, 0, 100);
    expect(await copy.read(3 * clusterSizeBytes, clusterSizeBytes)).toEqual(cluster);
  });
});

it("a file that was cut inside its last cluster ends with it again once it is longer", async () => {
  const file = new MemoryFile();
  await createImage(file, { virtualSizeBytes: 2 ** 20 });
  const made = await openImage(file, { mode: "rw" });
  await made.write(0, new Uint8Array(65_536).fill(9));
  await made.close();
  const cut = new MemoryFile(file.toBytes().slice(0, -65_436));
  const image = await openImage(cut, { mode: "rw" });
  await image.write(200, new Uint8Array(100).fill(1));
  await image.close();
  expect(await cut.size()).toBe(await file.size());
});

it("a device that ends inside a cluster is not told to become longer", async () => {
  const file = new MemoryFile();
  await createImage(file, { virtualSizeBytes: 2 ** 20 });
  const device = new MemoryFile(new Uint8Array(2 ** 20 + 512));
  await device.write(0, file.toBytes());
  const fixed: RandomAccess = {
    ...untruncatable(device),
    truncate: async () => {
      throw Object.assign(new Error("EINVAL: invalid argument"), { code: "EINVAL" });
    },
  };
  const image = await openImage(fixed, { mode: "rw" });
  await image.write(0, new Uint8Array(100).fill(1));
  await image.close();
  await using again = await openImage(device);
  expect(await again.read(0, 100)).toEqual(new Uint8Array(100).fill(1));
  expect(await device.size()).toBe(2 ** 20 + 512);
});

describe("a storage that is full", () => {
  const clusterBytes = 65_536;

  it.each([
    { kind: "file", moreBytes: 100, second: 2 },
    { kind: "file", moreBytes: 0, second: 0 },
    // On a device a cluster is written whole: nobody knows what was there.
    { kind: "device", moreBytes: 100, second: 0 },
    { kind: "device", moreBytes: 0, second: 0 },
  ])(
    "keeps what it had room for: $kind, $moreBytes bytes more",
    async ({ kind, moreBytes, second }) => {
      const file = new MemoryFile();
      await createImage(file, { virtualSizeBytes: 2 ** 20 });
      const made = await openImage(file, { mode: "rw" });
      await made.write(0, new Uint8Array(clusterBytes).fill(9));
      await made.close();
      const end = (await file.size()) + clusterBytes + moreBytes;
      if (kind === "device") await file.write(end - 1, new Uint8Array(1));
      const full: RandomAccess = {
        ...untruncatable(file),
        write: async (offset, bytes) => {
          if (offset + bytes.byteLength <= end) return file.write(offset, bytes);
          throw Object.assign(new Error("ENOSPC: no space left on device"), { code: "ENOSPC" });
        },
      };
      const image = await openImage(full, { mode: "rw" });
      await image.write(clusterBytes, new Uint8Array(clusterBytes).fill(1));
      const last = image.write(2 * clusterBytes, new Uint8Array(100).fill(2));
      if (second === 0) await expect(last).rejects.toMatchObject({ code: "QCOW2_NO_SPACE" });
      await last.catch(() => {});
      await image.close();
      await using again = await openImage(file);
      expect(await again.read(clusterBytes, clusterBytes)).toEqual(
        new Uint8Array(clusterBytes).fill(1),
      );
      expect(await again.read(2 * clusterBytes, 100)).toEqual(new Uint8Array(100).fill(second));
    },
  );
});
