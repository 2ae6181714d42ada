import { buildTar, type TarEntry, tarHeader } from "@box/tar";
import { describe, expect, test } from "vitest";
import { bytes, entry, readTar } from "./archives.ts";

describe("an archive", () => {
  test("has the bytes that tar writes", () => {
    const [header] = tarHeader(
      entry({ path: bytes("dir/name"), uid: 1000, gid: 10, sizeBytes: 5 }),
    );
    const field = (at: number, length: number): string =>
      String.fromCharCode(...(header as Uint8Array).subarray(at, at + length));
    expect(field(0, 9)).toBe("dir/name\0");
    expect(field(100, 8)).toBe("0000644\0");
    expect(field(108, 8)).toBe("0001750\0");
    expect(field(124, 12)).toBe("00000000005\0");
    expect(field(148, 8)).toBe("010641\0 ");
    expect(field(257, 8)).toBe("ustar\u000000");
  });

  test("keeps records whose length has one digit more than its rest", () => {
    for (let length = 80; length < 1010; length++) {
      const path = bytes("x".repeat(length));
      expect(readTar(buildTar([{ entry: entry({ path }) }]))[0]?.entry.path).toEqual(path);
    }
  });

  test.each([
    ["an empty path", { path: bytes("") }],
    ["a NUL in its path", { path: bytes("a\0") }],
    ["a NUL in its target", { type: "symlink", linkPath: bytes("\0") }],
    ["no target for a link", { type: "hardlink" }],
    ["a target for a file", { linkPath: bytes("x") }],
    ["a mode with type bits", { mode: 0o100644 }],
    ["a negative owner", { uid: -1 }],
    ["a group of 33 bits", { gid: 2 ** 32 }],
    ["half a byte", { sizeBytes: 0.5 }],
    ["a second of nanoseconds", { mtime: { seconds: 0, nanoseconds: 1e9 } }],
    ["a device number of 22 bits", { type: "char", deviceMajor: 2 ** 21 }],
    [
      "an attribute with an equals sign",
      { xattrs: [{ name: bytes("user.a=b"), value: bytes("") }] },
    ],
    ["less content than it says", { sizeBytes: 3 }],
  ] as [string, Partial<TarEntry>][])("with %s is not written", (_, changes) => {
    expect(() => buildTar([{ entry: entry(changes) }])).toThrow(
      expect.objectContaining({ code: "TAR_BAD_ENTRY", kind: "invalid-argument" }),
    );
  });
});
