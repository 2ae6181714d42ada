import { describe, expect, test } from "vitest";
import { type FoundAtTarget, parseCopyEnds, placeOf } from "../../src/files/copy-ends.ts";

const plain = { isFolder: false, isContent: false };

describe("both sides of a copy", () => {
  test("are in a box or on the host, and a path in a box is absolute", () => {
    expect(parseCopyEnds("./a", "web:etc/../b/")).toEqual({
      source: { type: "host", path: "./a", shape: plain },
      target: { type: "box", box: "web", path: "/b", shape: { isFolder: true, isContent: false } },
    });
    expect(parseCopyEnds("web:/a/.", "-")).toEqual({
      source: { type: "box", box: "web", path: "/a", shape: { isFolder: false, isContent: true } },
      target: { type: "stream" },
    });
    expect(parseCopyEnds("./a:b", "web:/../..").target).toMatchObject({ path: "/" });
  });

  test.each([
    ["a", "b"],
    ["web:/a", "db:/b"],
    ["-", "-"],
    ["a", "web:"],
  ])("are refused: %s %s", (from, to) => {
    expect(() => parseCopyEnds(from, to)).toThrow(expect.objectContaining({ code: "CLI_USAGE" }));
  });
});

describe("a copy goes", () => {
  const place = (
    source: { isFolder?: boolean; isContent?: boolean },
    found: FoundAtTarget,
    isFolder = false,
  ) =>
    placeOf(
      {
        name: "s",
        isFolder: source.isFolder ?? false,
        shape: { isFolder: false, isContent: source.isContent ?? false },
      },
      { path: "/x/t", found, shape: { isFolder, isContent: false } },
    );

  test("into a folder that is there, a folder's content without its name", () => {
    expect(place({}, "folder")).toEqual({ folder: "/x/t", name: "s" });
    expect(place({ isFolder: true }, "folder")).toEqual({ folder: "/x/t", name: "s" });
    expect(place({ isFolder: true, isContent: true }, "folder")).toEqual({ folder: "/x/t" });
  });

  test("to the place itself when nothing is there, and over a file", () => {
    const there = { folder: "/x", name: "t" };
    expect(place({}, "missing")).toEqual(there);
    expect(place({ isFolder: true }, "missing", true)).toEqual(there);
    expect(place({ isFolder: true, isContent: true }, "missing")).toEqual(there);
    expect(place({}, "file")).toEqual(there);
  });

  test("nowhere when a file is where a folder is needed, or the other way around", () => {
    const invalid = expect.objectContaining({ code: "CLI_INVALID_ARGUMENT" });
    expect(() => place({ isFolder: true }, "file")).toThrow(invalid);
    expect(() => place({}, "file", true)).toThrow(invalid);
    expect(() => place({}, "missing", true)).toThrow(
      expect.objectContaining({ code: "CLI_NO_SUCH_PATH" }),
    );
  });
});
