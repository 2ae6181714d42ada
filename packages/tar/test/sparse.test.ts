import { describe, expect, test } from "vitest";
import { bytes, concat, padded, pax, rawHeader, readTar } from "./archives.ts";

const octal = (value: number): string => `${value.toString(8).padStart(11, "0")}\0`;
const stored = (size: number, type = "0"): Uint8Array =>
  rawHeader({ 0: "f", 124: octal(size), 156: type, 257: "ustar\u000000" });
const data = padded("abcdef");

/** A file of 5,000 bytes: "abc" at 10, "def" at 4,000. */
const formats: [string, Uint8Array][] = [
  [
    "0.0",
    concat(
      pax([
        "GNU.sparse.size=5000",
        "GNU.sparse.numblocks=2",
        ...["GNU.sparse.offset=10", "GNU.sparse.numbytes=3"],
        ...["GNU.sparse.offset=4000", "GNU.sparse.numbytes=3"],
      ]),
      stored(6),
      data,
    ),
  ],
  [
    "0.1",
    concat(
      pax(["GNU.sparse.size=5000", "GNU.sparse.name=f", "GNU.sparse.map=10,3,4000,3"]),
      stored(6),
      data,
    ),
  ],
  [
    "1.0",
    concat(
      pax([
        "GNU.sparse.major=1",
        "GNU.sparse.minor=0",
        "GNU.sparse.name=f",
        "GNU.sparse.realsize=5000",
      ]),
      stored(518),
      padded("3\n10\n3\n4000\n3\n5000\n0\n"),
      data,
    ),
  ],
  [
    "old GNU",
    concat(
      rawHeader({
        0: "f",
        124: octal(6),
        156: "S",
        257: "ustar  \0",
        386: octal(10) + octal(3),
        482: "\u0001",
        483: octal(5000),
      }),
      padded(new Uint8Array([...bytes(octal(4000) + octal(3) + octal(5000) + octal(0))])),
      data,
    ),
  ],
];

describe("a sparse file", () => {
  test.each(formats)("of format %s has its real size and its data in place", (_, archive) => {
    for (const chunkBytes of [1, 600, 10_000]) {
      const [read] = readTar(archive, { chunkBytes });
      expect(read?.entry).toMatchObject({ path: bytes("f"), type: "file", sizeBytes: 5000 });
      expect(read?.runs).toEqual([
        [10, 3],
        [4000, 3],
      ]);
      expect(read?.ended).toBe(true);
    }
  });

  test("without data has only a size", () => {
    const archive = concat(pax(["GNU.sparse.size=700", "GNU.sparse.map=700,0"]), stored(0));
    expect(readTar(archive)[0]).toMatchObject({ runs: [], entry: { sizeBytes: 700 }, ended: true });
    const old = rawHeader({ 0: "f", 124: octal(0), 156: "S", 257: "ustar  \0", 483: octal(700) });
    expect(readTar(old)[0]?.entry.sizeBytes).toBe(700);
  });

  test("with a map over several blocks is read", () => {
    const count = 200;
    const lines = Array.from({ length: count }, (_, i) => `${i * 10}\n1\n`).join("");
    const map = padded(`${count}\n${lines}`);
    const archive = concat(
      pax(["GNU.sparse.major=1", "GNU.sparse.minor=0", "GNU.sparse.realsize=2000"]),
      stored(map.byteLength + count),
      map,
      padded("x".repeat(count)),
    );
    expect(readTar(archive)[0]?.runs).toHaveLength(count);
  });

  const version1 = ["GNU.sparse.major=1", "GNU.sparse.minor=0", "GNU.sparse.realsize=9"];
  const old = (ranges: string): Uint8Array =>
    rawHeader({ 0: "f", 124: octal(6), 156: "S", 386: ranges, 483: octal(5000) });
  test.each([
    ["a size that is missing", concat(pax(["GNU.sparse.map=0,6"]), stored(6), data)],
    [
      "an offset alone",
      concat(pax(["GNU.sparse.size=9", "GNU.sparse.map=0,6,7"]), stored(6), data),
    ],
    [
      "an offset alone in the older format",
      concat(pax(["GNU.sparse.size=9", "GNU.sparse.offset=0"]), stored(6), data),
    ],
    [
      "ranges that overlap",
      concat(pax(["GNU.sparse.size=9", "GNU.sparse.map=0,4,3,2"]), stored(6), data),
    ],
    [
      "a range past the end",
      concat(pax(["GNU.sparse.size=9", "GNU.sparse.map=4,6"]), stored(6), data),
    ],
    [
      "less data than it says",
      concat(pax(["GNU.sparse.size=9", "GNU.sparse.map=0,7"]), stored(6), data),
    ],
    ["a map longer than the entry", concat(pax(version1), stored(6), data)],
    ["a map that is no text", concat(pax(version1), stored(1024), padded("1\nx\n"), data)],
    ["a map without lines", concat(pax(version1), stored(1024), padded("1".repeat(30)), data)],
    [
      "ranges that overlap in an old header",
      concat(old(octal(9) + octal(3) + octal(9) + octal(3)), data),
    ],
  ])("with %s is refused", (_, archive) => {
    expect(() => readTar(archive)).toThrow(expect.objectContaining({ code: "TAR_BAD_SPARSE" }));
  });

  test("with keys out of turn, or of an unknown version, is refused", () => {
    const turn = concat(pax(["GNU.sparse.size=9", "GNU.sparse.numbytes=1"]), stored(6), data);
    expect(() => readTar(turn)).toThrow(expect.objectContaining({ code: "TAR_BAD_PAX" }));
    const version = concat(pax(["GNU.sparse.major=2", "GNU.sparse.minor=0"]), stored(6), data);
    expect(() => readTar(version)).toThrow(
      expect.objectContaining({ code: "TAR_UNSUPPORTED_TYPE", kind: "unsupported" }),
    );
  });

  test.each(formats)(
    "of format %s is refused when it has more ranges than the limit",
    (_, archive) => {
      expect(() => readTar(archive, { limits: { maxSparseRanges: 1 } })).toThrow(
        expect.objectContaining({ code: "TAR_OVER_LIMIT" }),
      );
    },
  );
});
