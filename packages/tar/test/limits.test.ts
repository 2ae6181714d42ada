import { describe, expect, test } from "vitest";
import { concat, pax, rawHeader, readTar } from "./archives.ts";

const code = (name: string): unknown => expect.objectContaining({ code: name });
const file = rawHeader({ 0: "f", 156: "0", 257: "ustar\u000000" });

describe("TarParser refuses", () => {
  const many = "x".repeat(100);
  test.each([
    ["more entries", { maxEntries: 1 }, concat(file, file)],
    ["longer PAX headers", { maxPaxBytes: 50 }, concat(pax([`path=${many}`]), file)],
    [
      "more global records",
      { maxGlobalPaxBytes: 201 },
      concat(pax([`a=${many}`], "g"), pax([`b=${many}`], "g")),
    ],
    ["longer paths", { maxPathBytes: 99 }, concat(pax([`path=${many}`]), file)],
    [
      "longer targets",
      { maxPathBytes: 99 },
      concat(pax([`linkpath=${many}`]), rawHeader({ 0: "f", 156: "2" })),
    ],
    ["longer GNU names", { maxPathBytes: 99 }, rawHeader({ 0: "f", 124: "145", 156: "L" })],
    [
      "more attributes, global ones included",
      { maxXattrs: 2 },
      concat(
        pax(["SCHILY.xattr.user.a=1", "SCHILY.xattr.user.b=1"], "g"),
        pax(["SCHILY.xattr.user.c=1"]),
        file,
      ),
    ],
    [
      "more attributes of all entries",
      {},
      concat(
        pax(
          Array.from({ length: 33 }, (_, i) => `SCHILY.xattr.user.${i}=`),
          "g",
        ),
        file,
      ),
    ],
    ["more attributes", { maxXattrBytes: 99 }, concat(pax([`SCHILY.xattr.user.a=${many}`]), file)],
  ])("%s than the limit", (_, limits, archive) => {
    expect(() => readTar(archive, { limits })).toThrow(code("TAR_OVER_LIMIT"));
  });

  test("longer global records than a list of small ones needs", () => {
    const acl = Array.from({ length: 100 }, () => "user:a:rwx").join(",");
    for (const record of [
      `SCHILY.acl.access=${acl}`,
      `SCHILY.xattr.user.a=${acl}`,
      `GNU.sparse.map=${acl}`,
      `path=${"a/".repeat(512)}`,
    ]) {
      expect(() => readTar(concat(pax([record], "g"), file))).toThrow(code("TAR_OVER_LIMIT"));
    }
    const limits = { maxGlobalPaxBytes: 201 };
    const first = pax([`a=${many}`, "SCHILY.xattr.user.a=1"], "g");
    const second = pax([`a=${many}`, `b=${many.slice(8)}`], "g");
    // Records that took the place of others count once, in however many headers.
    expect(readTar(concat(first, second, second, file), { limits })).toHaveLength(1);
    const third = pax([`b=${many.slice(7)}`], "g");
    expect(() => readTar(concat(first, second, third), { limits })).toThrow(code("TAR_OVER_LIMIT"));
  });
});
