import { describe, expect, it } from "vitest";
import { satisfies } from "../../../scripts/toolchain/semver-range.mjs";
import { readPins } from "../../../scripts/toolchain/toolchain.mjs";
import { root } from "../workspace.ts";

describe("satisfies", () => {
  it.each([
    ["22.22.1", false],
    ["22.22.2", true],
    ["22.99.0", true],
    ["23.0.0", false],
    ["23.11.1", false],
    ["24.14.9", false],
    ["24.15.0", true],
    ["24.21.0", true],
    ["25.9.0", false],
    ["26.0.0", true],
    ["27.1.3", true],
    ["20.20.2", false],
    ["18.0.0", false],
    ["27.0.0-nightly20261101", false],
  ])("Node.js %s fits the engines of the project: %s", (version, fits) => {
    expect(satisfies(version, readPins(root).nodeRange)).toBe(fits);
  });

  it("the pinned Node.js fits the engines", () => {
    const { node, nodeRange } = readPins(root);
    expect(satisfies(node, nodeRange)).toBe(true);
  });

  it.each([
    ["1.2.3", "^1.2.3", true],
    ["1.3.0", "^1.2.3", true],
    ["1.2.2", "^1.2.3", false],
    ["2.0.0", "^1.2.3", false],
    ["0.2.9", "^0.2.3", true],
    ["0.3.0", "^0.2.3", false],
    ["0.0.3", "^0.0.3", true],
    ["0.0.4", "^0.0.3", false],
    ["0.9.0", "^0", true],
    ["0.0.9", "^0.0", true],
    ["0.1.0", "^0.0", false],
    ["1.2.9", "~1.2.3", true],
    ["1.3.0", "~1.2.3", false],
    ["1.9.0", "~1", true],
    ["2.0.0", "~1", false],
    ["1.2.3", "1.2.3", true],
    ["1.2.4", "=1.2.3", false],
    ["1.9.9", "1", true],
    ["2.0.0", "1.x", false],
    ["9.9.9", "*", true],
    ["9.9.9", "", true],
    ["1.5.0", ">=1.2 <1.5", false],
    ["1.4.9", ">= 1.2 < 1.5", true],
    ["1.2.3", ">1.2.3", false],
    ["1.2.4", ">1.2.3", true],
    ["1.3.0", ">1.2", true],
    ["1.2.9", ">1.2", false],
    ["1.2.9", "<=1.2", true],
    ["1.3.0", "<=1.2", false],
    ["v10.0.0", ">=9.9", true],
  ])("%s fits %s: %s", (version, range, fits) => {
    expect(satisfies(version, range)).toBe(fits);
  });

  it("refuses what it does not understand rather than guess", () => {
    for (const range of ["1.2.3 - 2.0.0", "latest", ">=a", "^1.2.3-beta"]) {
      expect(() => satisfies("1.2.3", range)).toThrow("not a version range");
    }
    expect(() => satisfies("1.2", "*")).toThrow("not a version");
  });
});
