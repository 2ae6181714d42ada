import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { FileTree } from "@box/ext4";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { missing } from "../overlay/program.ts";
import {
  archiveOf,
  bytes,
  directory,
  file,
  hardlink,
  layerOfArchive,
  merge,
  symlink,
  type TestEntry,
} from "./layers.ts";
import { sampleLayers } from "./sample-layers.ts";
import { lookAtTree, unpack, withoutDirectoryTimes } from "./seen.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "box-umoci-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function mergeTree(layers: readonly (readonly TestEntry[])[]): Promise<FileTree> {
  return (await merge(...layers.map((entries) => layerOfArchive(archiveOf(entries))))).tree;
}

const reason = missing("umoci") ?? missing("python3");
const isRoot = process.getuid?.() === 0;
if (!isRoot) process.stderr.write("skipped: umoci sets owners and devices only for root\n");

describe.skipIf(reason !== undefined || !isRoot)("umoci unpack", () => {
  test("makes the same tree of an image with whiteouts, an opaque directory and hard links", async () => {
    const expected = await unpack(folder, sampleLayers);
    expect(expected.size).toBeGreaterThan(30);
    expect(lookAtTree(await mergeTree(sampleLayers))).toEqual(expected);
  }, 60_000);

  const lower = [
    directory("d", { mode: 0o711 }),
    directory("d/sub", { mode: 0o701 }),
    file("d/sub/x", "x"),
    file("d/sub/y", "y"),
    file("d/a", "a"),
    hardlink("d/b", "d/a"),
    symlink("s", "d/sub"),
    file("top", "top"),
  ];

  test.each<[string, TestEntry[]]>([
    ["a whiteout before what it spares", [file(".wh.d"), directory("d"), file("d/a", "new")]],
    ["a whiteout after what it spares", [directory("d"), file("d/a", "new"), file(".wh.d")]],
    ["a whiteout after a file deep below", [file("d/sub/new", "new"), file(".wh.d")]],
    ["an opaque marker after a file deep below", [file("d/sub/new", "n"), file("d/.wh..wh..opq")]],
    [
      "an opaque marker before all else",
      [file("d/.wh..wh..opq"), directory("d/sub"), file("d/sub/z", "z")],
    ],
    ["a whiteout through a symbolic link", [file("s/.wh.x")]],
    ["an opaque marker through a symbolic link", [file("s/.wh..wh..opq")]],
    ["a whiteout of a symbolic link", [file(".wh.s")]],
    ["a file over a directory, and its whiteout", [file("d", "file"), file(".wh.d")]],
    ["a directory over a symbolic link", [directory("s"), file("s/in", "in")]],
    ["whiteouts of both names of a file", [file("d/.wh.a"), file("d/.wh.b")]],
    ["a link to a lower file, whose whiteout follows", [hardlink("l", "d/a"), file("d/.wh.a")]],
    ["a link in the place of a lower file", [hardlink("top", "d/a")]],
    [
      "names that look like whiteouts",
      [file("wh.top", "1"), file("x.wh.top", "2"), file(".whtop", "3")],
    ],
    [
      "attributes that Linux does not know",
      [
        file("f", "x", {
          xattrs: [
            { name: bytes("com.apple.provenance"), value: bytes("1") },
            { name: bytes("user.kept"), value: bytes("2") },
          ],
        }),
      ],
    ],
    [
      "whiteouts of what is not there",
      [file(".wh.none"), file("d/none/.wh.x"), file("none/.wh..wh..opq")],
    ],
  ])(
    "makes the same tree of %s",
    async (_what, upper) => {
      const layers = [lower, [directory("."), ...upper]];
      const found = withoutDirectoryTimes(lookAtTree(await mergeTree(layers)));
      expect(found).toEqual(withoutDirectoryTimes(await unpack(folder, layers)));
    },
    60_000,
  );
});
