import { describe, expect, test } from "vitest";
import { crc32c, crc32cOfWord } from "../../src/format/crc32c.ts";
import { halfMd4 } from "../../src/format/half-md4.ts";
import { decodeTime, encodeTime } from "../../src/format/time.ts";
import { bytes } from "../tree/nodes.ts";

describe("crc32c", () => {
  test("is the published one but for the inversion at the end", () => {
    expect(~crc32c(0xffffffff, bytes("123456789")) >>> 0).toBe(0xe3069283);
    expect(~crc32c(0xffffffff, new Uint8Array(32)) >>> 0).toBe(0x8a9136aa);
    expect(~crc32c(0xffffffff, new Uint8Array(32).fill(0xff)) >>> 0).toBe(0x62a8ab43);
  });

  test("gives the same in pieces, at any alignment", () => {
    const data = Uint8Array.from({ length: 100 }, (_, i) => i * 7);
    const whole = crc32c(0xffffffff, data);
    for (let cut = 0; cut <= 100; cut++) {
      expect(crc32c(crc32c(0xffffffff, data, 0, cut), data, cut)).toBe(whole);
    }
    expect(crc32cOfWord(0xffffffff, 0x04030201)).toBe(
      crc32c(0xffffffff, Uint8Array.of(1, 2, 3, 4)),
    );
  });
});

describe("halfMd4", () => {
  const seed = Uint32Array.of(0x2d786f62, 0x34447865, 0x80, 0x01000000);

  /** What debugfs 1.47.0 says for `dx_hash -h half_md4 -s 626f782d-6578-4434-8000-000000000001 NAME`. */
  test.each([
    ["a", 0xce72dca6, 0xa5688dfe],
    ["abc", 0x54ae8462, 0xa5409d0e],
    ["file-number-1", 0xa467299a, 0xb5b2ce9b],
    ["x".repeat(60), 0xf905f0b8, 0xde0cc170],
    ["y".repeat(32), 0xe65f5a60, 0x54469415],
  ])("of %s is what debugfs says", (name, major, minor) => {
    expect(halfMd4(bytes(name), seed)).toEqual({ major, minor });
  });

  test("starts from MD4's own values when the seed is zero", () => {
    const zero = halfMd4(bytes("a"), new Uint32Array(4));
    const own = Uint32Array.of(0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476);
    expect(zero).toEqual(halfMd4(bytes("a"), own));
  });
});

describe("an inode's time", () => {
  test.each([
    [0, 0, 0, 0],
    [-1, 999_999_999, 0xffffffff, 999_999_999 * 4],
    [2 ** 31, 0, 0x80000000, 1],
    [2 ** 32 + 7, 1, 7, 5],
    [15_032_385_535, 0, 0x7fffffff, 3],
  ])("%i s and %i ns is kept", (seconds, nanoseconds, low, extra) => {
    expect(encodeTime(seconds, nanoseconds)).toEqual({ seconds: low, extra });
    expect(decodeTime({ seconds: low, extra })).toEqual({ seconds, nanoseconds });
  });

  test("out of range becomes the nearest one", () => {
    expect(decodeTime(encodeTime(-(2 ** 40), 5))).toEqual({ seconds: -(2 ** 31), nanoseconds: 0 });
    expect(decodeTime(encodeTime(2 ** 40, 5)).seconds).toBe(15_032_385_535);
  });
});
