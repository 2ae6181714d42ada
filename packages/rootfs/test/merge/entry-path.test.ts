import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  displayEntryPath,
  joinPath,
  parseEntryPath,
  splitPath,
} from "../../src/merge/entry-path.ts";
import { bytes } from "./layers.ts";

const parse = (path: string) => {
  const { components, isClamped } = parseEntryPath(bytes(path));
  const names = components.map((each) => Buffer.from(each).toString("latin1"));
  return isClamped ? [...names, "(clamped)"] : names;
};

describe("parseEntryPath", () => {
  test.each([
    ["", []],
    ["./", []],
    ["/", []],
    [".", []],
    ["a/b", ["a", "b"]],
    ["./a//b/", ["a", "b"]],
    ["/a/./b/.", ["a", "b"]],
    ["a/../b", ["b"]],
    ["...", ["..."]],
    [".a/..b", [".a", "..b"]],
    ["../a", ["a", "(clamped)"]],
    ["a/../../../b", ["b", "(clamped)"]],
    ["..", ["(clamped)"]],
    ["\xff/\n", ["\xff", "\n"]],
  ])("takes %j apart", (path, expected) => {
    expect(parse(path)).toEqual(expected);
  });

  test("never gives a component that points anywhere", () => {
    const part = fc.constantFrom("..", ".", "", "a", "/", "..a");
    fc.assert(
      fc.property(fc.array(part), (parts) => {
        for (const name of parse(parts.join("/")).filter((each) => each !== "(clamped)")) {
          expect(["", ".", ".."]).not.toContain(name);
          expect(name).not.toContain("/");
        }
      }),
    );
  });
});

test("splitPath keeps what points upwards", () => {
  expect(splitPath(bytes("/a/../b/.")).map(String)).toEqual(
    [bytes("a"), bytes(".."), bytes("b")].map(String),
  );
});

test("displayEntryPath cuts a long path", () => {
  expect(displayEntryPath(bytes("a/b"))).toBe("a/b");
  expect(displayEntryPath(bytes("x".repeat(300)))).toBe(`${"x".repeat(256)}...`);
});

test("joinPath keeps a copy from which splitPath finds the same components", () => {
  for (const path of ["a", "a/b", "some/longer/path/..."]) {
    const components = splitPath(bytes(path));
    const joined = joinPath(components);
    for (const component of components) component.fill(0x7a);
    expect(Buffer.from(joined).toString()).toBe(path);
  }
});
