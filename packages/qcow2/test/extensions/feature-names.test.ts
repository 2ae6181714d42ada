import { describe, expect, it } from "vitest";
import { parseFeatureNames } from "../../src/extensions/feature-names.ts";

function entry(kind: number, bit: number, name: string): Uint8Array {
  const bytes = new Uint8Array(48);
  bytes.set([kind, bit]);
  bytes.set(new TextEncoder().encode(name), 2);
  return bytes;
}

function parse(...parts: readonly Uint8Array[]) {
  const data = Uint8Array.from(parts.flatMap((part) => [...part]));
  return parseFeatureNames({ type: 0x6803f857, offset: 112, data });
}

describe("the feature name table", () => {
  it("has three kinds of bits, 0 to 63", () => {
    expect(parse(entry(0, 0, "a"), entry(1, 63, "b"), entry(2, 7, "c"))).toEqual([
      { kind: "incompatible", bit: 0, name: "a" },
      { kind: "compatible", bit: 63, name: "b" },
      { kind: "autoclear", bit: 7, name: "c" },
    ]);
  });

  it("leaves out other kinds, other bits and a cut entry", () => {
    expect(
      parse(entry(3, 0, "a"), entry(0, 64, "b"), entry(0, 1, "c"), new Uint8Array(47)),
    ).toEqual([{ kind: "incompatible", bit: 1, name: "c" }]);
    expect(parseFeatureNames(undefined)).toEqual([]);
  });

  it("takes a name of 46 bytes, which no NUL ends", () => {
    const name = "n".repeat(46);
    expect(parse(entry(0, 1, name))).toMatchObject([{ name }]);
  });
});
