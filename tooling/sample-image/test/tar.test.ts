import { describe, expect, test } from "vitest";
import { directory, file } from "../src/entries.ts";
import { longName } from "../src/layers.ts";
import { writeTar } from "../src/tar.ts";

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1");

describe("writeTar", () => {
  test("is nothing but two empty blocks for no files", () => {
    expect(writeTar([])).toEqual(new Uint8Array(1024));
  });

  test("gives each header the sum of its bytes, with blanks for the sum itself", () => {
    const header = writeTar([directory("home")]).subarray(0, 512);
    const blanked = header.slice().fill(0x20, 148, 156);
    const sum = blanked.reduce((total, byte) => total + byte, 0);
    expect(Number.parseInt(text(header.subarray(148, 154)), 8)).toBe(sum);
    expect(text(header.subarray(0, 6))).toBe("home/\0");
  });

  test("fills the last block of a file with zeros", () => {
    const tar = writeTar([file("a", "x".repeat(513))]);
    expect(tar).toHaveLength(512 + 1024 + 1024);
    expect(tar.subarray(512 + 513).every((byte) => byte === 0)).toBe(true);
  });

  test("counts the digits of a record's length as part of it, also when they become more", () => {
    // ` path=` and the end of the line are 7 bytes; 990 bytes of path and three digits would make 1000.
    for (const [valueBytes, expected] of [
      [101, 111],
      [104, 114],
      [990, 1001],
    ] as const) {
      const tar = writeTar([file("n".repeat(valueBytes), "")]);
      expect(text(tar.subarray(512, 512 + expected))).toBe(
        `${expected} path=${"n".repeat(valueBytes)}\n`,
      );
    }
  });

  test("writes a record for a name that is too long, for nanoseconds and for each attribute", () => {
    const xattrs = { "user.one": Uint8Array.of(1, 0, 2) };
    const tar = writeTar([file(longName, "", { nanoseconds: 5, xattrs })]);
    expect(text(tar.subarray(156, 157))).toBe("x");
    expect(text(tar.subarray(512, 1024)).replace(/\0+$/, "")).toBe(
      [
        `${longName.length + 10} path=${longName}\n`,
        "30 mtime=1767323045.000000005\n",
        "29 SCHILY.xattr.user.one=\x01\0\x02\n",
      ].join(""),
    );
  });
});
