import { MemoryFile, type RandomAccess } from "@box/io";
import { checkImage, createImage, openImage } from "@box/qcow2";
import { describe, expect, it } from "vitest";

const mebibyte = 2 ** 20;

/** Storage of which one write, that of a megabyte, stores half before there is no space any more. */
function fullOnce(file: MemoryFile): RandomAccess {
  return {
    size: () => file.size(),
    read: (offset, length) => file.read(offset, length),
    truncate: (size) => file.truncate(size),
    async write(offset, bytes) {
      if (bytes.byteLength < mebibyte) return file.write(offset, bytes);
      await file.write(offset, bytes.subarray(0, bytes.byteLength / 2));
      throw Object.assign(new Error("ENOSPC: no space left on device"), { code: "ENOSPC" });
    },
  };
}

describe("a write that the storage did only in part", () => {
  it.each(["nothing", "a snapshot"])(
    "never shows in clusters that are used after %s",
    async (between) => {
      const file = new MemoryFile();
      await createImage(file, { virtualSizeBytes: 64 * mebibyte });
      {
        await using image = await openImage(fullOnce(file), { mode: "rw" });
        await expect(image.write(0, new Uint8Array(mebibyte).fill(78))).rejects.toMatchObject({
          code: "QCOW2_NO_SPACE",
        });
        await image.flush();
        if (between === "a snapshot") await image.createSnapshot("one", { date: new Date(0) });
        for (let at = 8; at < 24; at++)
          await image.write(at * mebibyte, new Uint8Array(16).fill(1));
      }
      await using image = await openImage(file);
      for (let at = 8; at < 24; at++) {
        const found = await image.read(at * mebibyte, 65536);
        expect(found.subarray(0, 16).every((byte) => byte === 1)).toBe(true);
        expect(found.subarray(16).every((byte) => byte === 0)).toBe(true);
      }
      expect((await checkImage(file)).findings).toEqual([]);
    },
  );

  it("of a snapshot that could not be taken is cut off, whichever write it was", async () => {
    for (let failing = 1; failing < 40; failing++) {
      const file = new MemoryFile();
      await createImage(file, { virtualSizeBytes: 2 ** 21, clusterSizeBytes: 512 });
      let writes = 0;
      let isTaking = false;
      const image = await openImage(
        {
          ...fullOnce(file),
          async write(offset, bytes) {
            const fails = isTaking && ++writes === failing;
            await file.write(offset, fails ? bytes.subarray(0, bytes.byteLength - 8) : bytes);
            if (fails) throw Object.assign(new Error("ENOSPC: no space"), { code: "ENOSPC" });
          },
        },
        { mode: "rw" },
      );
      for (let at = 0; at < 60; at++) await image.write(at * 32768, new Uint8Array(512).fill(3));
      await image.flush();
      const before = await file.size();
      isTaking = true;
      const isTaken = await image.createSnapshot("one", { date: new Date(0) }).then(
        () => true,
        () => false,
      );
      isTaking = false;
      if (isTaken) break;
      // The write of the header decides: after its failure nothing more is written.
      const isLast = await image.flush().then(
        () => false,
        () => true,
      );
      if (isLast) continue;
      expect(await file.size()).toBe(before);
      for (let at = 0; at < 40; at++) await image.write(33280 + at * 512, Uint8Array.of(1));
      const found = await image.read(33280, 40 * 512);
      expect(found.every((byte, at) => byte === (at % 512 === 0 ? 1 : 0))).toBe(true);
      await image.close();
      expect((await checkImage(file)).findings).toEqual([]);
    }
  });

  it("is cut off with the rest when the disk shrinks", async () => {
    const file = new MemoryFile();
    await createImage(file, { virtualSizeBytes: 64 * mebibyte });
    const before = await file.size();
    await using image = await openImage(fullOnce(file), { mode: "rw" });
    await image.write(0, new Uint8Array(mebibyte)).catch(() => {});
    expect(await file.size()).toBeGreaterThan(before);
    await image.resize(mebibyte, { shrink: true });
    expect(await file.size()).toBeLessThanOrEqual(before + 2 * 65536);
  });
});
