import { tarEnd } from "@box/tar";
import { describe, expect, test } from "vitest";
import { bytes, concat, padded, pax, rawHeader, readTar } from "./archives.ts";

const file = rawHeader({ 0: "f", 156: "0", 257: "ustar\u000000" });

describe("the end of an archive", () => {
  test("is two blocks of zeros, one or none", () => {
    expect(readTar(tarEnd())).toEqual([]);
    expect(readTar(new Uint8Array(0))).toEqual([]);
    expect(readTar(concat(file, new Uint8Array(512)))).toHaveLength(1);
  });

  test.each([0, 1, 508])("may come after %i bytes of the last padding", (filled) => {
    const archive = concat(
      file,
      rawHeader({ 0: "last", 124: "3", 156: "0" }),
      bytes("abc"),
      new Uint8Array(filled),
    );
    for (const chunkBytes of [1, 512, 10_000]) {
      const [, last] = readTar(archive, { chunkBytes });
      expect(last).toMatchObject({ content: bytes("abc"), ended: true });
    }
  });

  test("may lack the padding of a sparse file", () => {
    const header = rawHeader({ 0: "f", 124: "3", 156: "0" });
    const sparse = pax(["GNU.sparse.size=700", "GNU.sparse.map=100,3"]);
    const [read] = readTar(concat(sparse, header, bytes("abc")));
    expect(read).toMatchObject({ runs: [[100, 3]], ended: true });
  });

  test("has nothing behind it that matters", () => {
    expect(readTar(concat(file, tarEnd(), bytes("rubbish"), file))).toHaveLength(1);
  });

  test.each<[string, Uint8Array, string]>([
    [
      "half a body",
      concat(rawHeader({ 0: "f", 124: "10", 156: "0" }), bytes("abc")),
      "TAR_TRUNCATED",
    ],
    [
      "a body that lacks its last byte, at the end of a block",
      concat(rawHeader({ 0: "f", 124: "1001", 156: "0" }), padded("x".repeat(512))),
      "TAR_TRUNCATED",
    ],
    ["a zero block and half of one", new Uint8Array(700), "TAR_TRUNCATED"],
    ["a PAX header whose block is not filled", pax(["path=x"]).subarray(0, 520), "TAR_TRUNCATED"],
    [
      "a sparse map that ends in its block",
      concat(
        pax(["GNU.sparse.major=1", "GNU.sparse.minor=0", "GNU.sparse.realsize=9"]),
        rawHeader({ 0: "f", 124: "1003", 156: "0" }),
        bytes("1\n0\n3\n"),
      ),
      "TAR_TRUNCATED",
    ],
    ["half a header", file.subarray(0, 100), "TAR_TRUNCATED"],
    ["a PAX header without an entry", pax(["path=x"]), "TAR_TRUNCATED"],
    ["the end after a PAX header", concat(pax(["path=x"]), tarEnd()), "TAR_TRUNCATED"],
    ["an entry after a block of zeros", concat(new Uint8Array(512), file), "TAR_BAD_HEADER"],
  ])("is not %s", (_, archive, code) => {
    for (const chunkBytes of [archive.byteLength, 3]) {
      expect(() => readTar(archive, { chunkBytes })).toThrow(expect.objectContaining({ code }));
    }
  });
});
