import { describe, expect, test } from "vitest";
import { assemble, type Reference, zeroTerminated } from "../../src/program/assembly.ts";

const distanceTo = (to: string): Reference => ({
  to,
  length: 1,
  encode: (distance) => Uint8Array.of(distance & 0xff),
});

describe("assemble", () => {
  test("gives each reference the distance from its own first byte, forwards and back", () => {
    const code = assemble([
      distanceTo("end"),
      { label: "middle" },
      Uint8Array.of(0xaa, 0xbb),
      distanceTo("middle"),
      { label: "end" },
    ]);
    expect([...code]).toEqual([4, 0xaa, 0xbb, 0xfe]);
  });

  test("refuses a reference to a label that is not there", () => {
    expect(() => assemble([distanceTo("nowhere")])).toThrow("no line has the label nowhere");
  });

  test("refuses an instruction that is longer than it says", () => {
    const longer = { to: "here", length: 1, encode: () => new Uint8Array(2) };
    expect(() => assemble([{ label: "here" }, longer])).toThrow("has 2 bytes");
  });
});

test("zeroTerminated is UTF-8 with a zero byte behind it", () => {
  expect([...zeroTerminated("é")]).toEqual([0xc3, 0xa9, 0]);
});
