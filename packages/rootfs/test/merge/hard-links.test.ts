import { describe, expect, test } from "vitest";
import {
  archiveOf,
  directory,
  file,
  hardlink,
  layer,
  layerOfArchive,
  listing,
  merge,
  nodeAt,
  symlink,
  type TestEntry,
} from "./layers.ts";

/** What is alive after layers, each a list of entries, have been merged. */
async function merged(...layers: readonly (readonly TestEntry[])[]): Promise<string[]> {
  return listing(
    (await merge(...layers.map((entries) => layerOfArchive(archiveOf(entries))))).tree,
  );
}

describe("hard links", () => {
  test("name a file of their own or of any lower layer", async () => {
    expect(await merged([file("a", "x"), hardlink("b", "a")], [], [hardlink("c", "b")])).toEqual([
      "a 1",
      "b = a",
      "c = a",
    ]);
  });

  test("to a symbolic link are one more name of that link", async () => {
    expect(await merged([file("f"), symlink("s", "f"), hardlink("h", "s")])).toEqual([
      "f 0",
      "h -> f",
      "s = h",
    ]);
  });

  test("find their target through symbolic links on the way", async () => {
    const lower = [directory("real"), file("real/f", "x"), symlink("link", "real")];
    expect(await merged(lower, [hardlink("h", "/link/f")])).toContain("real/f = h");
  });

  test("to themselves do nothing", async () => {
    expect(await merged([file("a", "x"), hardlink("a", "a")])).toEqual(["a 1"]);
    expect(await merged([file("a", "x")], [hardlink("a", "./a"), file(".wh.a")])).toEqual(["a 1"]);
  });

  test("take the place of what had their name", async () => {
    expect(
      await merged([file("t", "x"), directory("d"), file("d/in")], [hardlink("d", "t")]),
    ).toEqual(["d 1", "t = d"]);
  });

  test("keep a file alive while it has a name, in whatever order names go", async () => {
    const lower = [file("a", "x"), hardlink("b", "a"), hardlink("c", "a")];
    expect(await merged(lower, [file(".wh.a")])).toEqual(["b 1", "c = b"]);
    expect(await merged(lower, [file(".wh.c")], [file(".wh.a")])).toEqual(["b 1"]);
    expect(await merged(lower, [file(".wh.c"), file(".wh.b"), file(".wh.a")])).toEqual([]);
  });

  test("do not tie a name that an upper layer made anew", async () => {
    const { tree } = await merge(layer(file("a", "x"), hardlink("b", "a")), layer(file("a", "yy")));
    expect(listing(tree)).toEqual(["a 2", "b 1"]);
    expect(tree.linkCount(nodeAt(tree, "b"))).toBe(1);
  });

  test("may come before their target in the same layer, in chains of either order", async () => {
    expect(await merged([hardlink("b", "a"), file("a", "x")])).toEqual(["a 1", "b = a"]);
    const down = [hardlink("d", "c"), hardlink("c", "b"), hardlink("b", "a"), file("a", "x")];
    const up = [hardlink("b", "a"), hardlink("c", "b"), hardlink("d", "c"), file("a", "x")];
    expect(await merged(down)).toEqual(await merged(up));
  });

  test("that come before their target do not take the place of a later entry", async () => {
    expect(await merged([hardlink("b", "a"), file("b", "22"), file("a", "x")])).toEqual([
      "a 1",
      "b 2",
    ]);
  });

  test("that come before their target take the place of a lower file", async () => {
    expect(await merged([file("b", "22")], [hardlink("b", "a"), file("a", "x")])).toEqual([
      "a 1",
      "b = a",
    ]);
  });

  test.each([
    ["nothing", [hardlink("b", "a")], "ROOTFS_LINK_TARGET_MISSING"],
    ["themselves, without a file", [hardlink("a", "a")], "ROOTFS_LINK_TARGET_MISSING"],
    [
      "one another in a circle",
      [hardlink("a", "b"), hardlink("b", "a")],
      "ROOTFS_LINK_TARGET_MISSING",
    ],
    ["something below a file", [file("f"), hardlink("a", "f/x")], "ROOTFS_LINK_TARGET_MISSING"],
    ["a directory", [directory("d"), hardlink("a", "d")], "ROOTFS_LINK_TO_DIRECTORY"],
    [
      "a directory by its own name",
      [directory("d"), hardlink("d", "d")],
      "ROOTFS_LINK_TO_DIRECTORY",
    ],
    ["the root", [hardlink("a", "/")], "ROOTFS_LINK_TO_DIRECTORY"],
    [
      "what goes with the directory whose place they take",
      [directory("d"), file("d/f"), hardlink("d", "d/f")],
      "ROOTFS_LINK_TARGET_MISSING",
    ],
  ])("to %s are refused", async (_what, entries, code) => {
    await expect(merged(entries)).rejects.toMatchObject({ code, kind: "corrupt" });
  });

  test("of more than 65,000 names for one file are refused", async () => {
    const names = Array.from({ length: 65_000 }, (_, index) => hardlink(`l${index}`, "f"));
    await expect(merged([file("f"), ...names])).rejects.toMatchObject({
      code: "EXT4_TOO_MANY_LINKS",
    });
  }, 120_000);
});
