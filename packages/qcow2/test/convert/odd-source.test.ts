import { MemoryFile, type RandomAccess } from "@box/io";
import { compareImages, convertImage } from "@box/qcow2";
import { describe, expect, it } from "vitest";

const bytes = new Uint8Array(3 * 2 ** 20 + 100).map((_, at) => (at * 7) >> 9);

/** A raw disk whose source answers in its own way. */
function sourceOf(
  answer: (found: Uint8Array) => unknown,
  size: () => unknown = () => bytes.byteLength,
): RandomAccess {
  return {
    size: async () => size() as number,
    read: async (offset, length) => answer(bytes.slice(offset, offset + length)) as Uint8Array,
  };
}

describe.each(["raw", "qcow2"] as const)("a raw source, converted to %s,", (format) => {
  it.each<readonly [string, (found: Uint8Array) => unknown]>([
    ["a DataView", ({ buffer }) => new DataView(buffer)],
    ["odd parts", (found) => found.subarray(0, 1 + (found.byteLength % 100_003))],
    ["a byte too many", (found) => Uint8Array.from([...found, 238])],
  ])("may answer with %s", { timeout: 60_000 }, async (_, answer) => {
    const target = new MemoryFile();
    await convertImage(sourceOf(answer), target, { format });
    const plain = new MemoryFile();
    await convertImage(new MemoryFile(bytes), plain, { format });
    expect(target.toBytes()).toEqual(plain.toBytes());
    expect(await compareImages(sourceOf(answer), new MemoryFile(bytes))).toEqual({
      isIdentical: true,
      hasSameSize: true,
    });
  });

  it.each<readonly [string, (found: Uint8Array) => unknown]>([
    ["an ArrayBuffer", ({ buffer }) => buffer],
    ["nothing", () => undefined],
    ["text", () => "text"],
  ])("is refused when it answers with %s", async (_, answer) => {
    const run = convertImage(sourceOf(answer), new MemoryFile(), { format });
    await expect(run).rejects.toMatchObject({ code: "QCOW2_IO" });
  });

  it.each([Number.NaN, undefined, -1, 1.5, "7", 5n, 2 ** 60])(
    "is refused when its size is %s",
    async (size) => {
      const source = sourceOf(
        (found) => found,
        () => size,
      );
      const error = { code: "QCOW2_IO", kind: "io" };
      await expect(convertImage(source, new MemoryFile(), { format })).rejects.toMatchObject(error);
      await expect(compareImages(source, new MemoryFile())).rejects.toMatchObject(error);
      await expect(compareImages(new MemoryFile(), source)).rejects.toMatchObject(error);
    },
  );
});
