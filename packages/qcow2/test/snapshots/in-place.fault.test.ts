import { MemoryFile } from "@box/io";
import { createImage, openImage } from "@box/qcow2";
import { describe, expect, it } from "vitest";

describe.each(["flush", "close"] as const)(
  "%s, after a snapshot that could not be taken",
  (end) => {
    it("makes safe what was written in place before", async () => {
      const file = new MemoryFile();
      // Clusters that a snapshot shares need refcounts of more than one bit.
      await createImage(file, { virtualSizeBytes: 2 ** 20, refcountBits: 1 });
      const made = await openImage(file, { mode: "rw" });
      await made.write(0, new Uint8Array(2 ** 17).fill(1));
      await made.close();
      let safe = file.toBytes();
      const image = await openImage(
        {
          size: () => file.size(),
          read: (offset, length) => file.read(offset, length),
          write: (offset, bytes) => file.write(offset, bytes),
          async flush() {
            safe = file.toBytes();
          },
        },
        { mode: "rw" },
      );
      await image.write(4096, new Uint8Array(4096).fill(9));
      await expect(image.createSnapshot("one", { date: new Date(0) })).rejects.toMatchObject({
        code: "QCOW2_REFCOUNT_OVERFLOW",
      });
      await image[end]();
      await using after = await openImage(new MemoryFile(safe));
      expect((await after.read(4096, 1))[0]).toBe(9);
    });
  },
);
