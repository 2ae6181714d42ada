import { MemoryFile, type RandomAccess } from "@box/io";
import { compareImages, convertImage, Qcow2Error } from "@box/qcow2";
import { describe, expect, it } from "vitest";

const size = 24 * 2 ** 20;

/** A source whose reads fail from a byte on. */
function failingFrom(offset: number, error: unknown): RandomAccess {
  const file = new MemoryFile(new Uint8Array(size).fill(1));
  return {
    size: () => file.size(),
    read: async (start, length, into) => {
      if (start + length > offset) throw error;
      return file.read(start, length, into);
    },
  };
}

const eio = new Error("EIO: i/o error, read");
const own = new Qcow2Error({ code: "QCOW2_TRUNCATED", message: "the source says so" });

describe("a source that fails while it is converted", () => {
  it.each(["raw", "qcow2"] as const)(
    "ends the conversion to %s with its own kind",
    async (format) => {
      for (const offset of [0, 5 * 2 ** 20, size - 1]) {
        const converting = convertImage(failingFrom(offset, eio), new MemoryFile(), { format });
        await expect(converting).rejects.toMatchObject({ code: "QCOW2_IO", cause: eio });
        const passing = convertImage(failingFrom(offset, own), new MemoryFile(), { format });
        await expect(passing).rejects.toBe(own);
      }
    },
  );

  it("says so when the source returns fewer bytes than it has", async () => {
    const file = new MemoryFile(new Uint8Array(size));
    const short: RandomAccess = {
      size: () => file.size(),
      read: (start, length, into) => file.read(start, length - 1, into),
    };
    const converting = convertImage(short, new MemoryFile(), { format: "raw" });
    await expect(converting).rejects.toMatchObject({ code: "QCOW2_SHORT_READ", kind: "io" });
  });

  it("says so when its size cannot be read", async () => {
    const source = { ...failingFrom(0, eio), size: () => Promise.reject(eio) };
    const converting = convertImage(source, new MemoryFile(), { format: "raw" });
    await expect(converting).rejects.toMatchObject({ code: "QCOW2_IO" });
  });
});

describe("a source that fails while it is compared", () => {
  it("ends the comparison, whichever of the two it is", async () => {
    const sound = new MemoryFile(new Uint8Array(size).fill(1));
    const broken = failingFrom(5 * 2 ** 20, eio);
    for (const [a, b] of [[sound, broken] as const, [broken, sound] as const]) {
      await expect(compareImages(a, b)).rejects.toMatchObject({ code: "QCOW2_IO" });
    }
  });
});
