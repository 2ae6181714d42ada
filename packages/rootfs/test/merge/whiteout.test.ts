import { describe, expect, test } from "vitest";
import { classifyEntry } from "../../src/merge/whiteout.ts";
import { bytes } from "./layers.ts";

const classify = (path: string) => {
  const meaning = classifyEntry(path.split("/").map(bytes));
  return meaning.type === "whiteout"
    ? `whiteout of ${Buffer.from(meaning.name).toString("latin1")}`
    : meaning.type;
};

describe("classifyEntry", () => {
  test.each([
    ["a", "file"],
    ["wh.a", "file"],
    [".wh", "file"],
    [".WH.a", "file"],
    ["x.wh.a", "file"],
    [".wh.dir/a", "file"],
    [".wh.a", "whiteout of a"],
    ["d/.wh.a", "whiteout of a"],
    [".wh...a", "whiteout of ..a"],
    [".wh.\xff\n", "whiteout of \xff\n"],
    [".wh..wh..opq", "opaque"],
    ["d/.wh..wh..opq", "opaque"],
    [".wh..wh..opqx", "skipped"],
    [".wh..wh.plnk", "skipped"],
    [".wh..wh.plnk/1.2", "skipped"],
    [".wh..wh.orph/.wh..wh..opq", "skipped"],
    [".wh.", "invalid"],
    [".wh..", "invalid"],
    [".wh...", "invalid"],
  ])("takes %j for: %s", (path, expected) => {
    expect(classify(path)).toBe(expected);
  });

  test("takes the root for a file", () => {
    expect(classifyEntry([])).toEqual({ type: "file" });
  });
});
