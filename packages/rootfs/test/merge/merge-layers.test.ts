import type { RootfsWarning } from "@box/rootfs";
import { describe, expect, test } from "vitest";
import {
  archiveOf,
  bytes,
  directory,
  file,
  hardlink,
  layer,
  layerOfArchive,
  listing,
  merge,
  mergeWith,
  nodeAt,
  special,
  symlink,
  type TestEntry,
} from "./layers.ts";

/** What is alive after layers, each a list of entries, have been merged. */
async function merged(...layers: readonly (readonly TestEntry[])[]): Promise<string[]> {
  return listing(
    (await merge(...layers.map((entries) => layerOfArchive(archiveOf(entries))))).tree,
  );
}

describe("whiteouts", () => {
  const lower = [directory("d"), file("d/a", "1"), file("d/b", "22"), file("top", "333")];

  test("hide a file of a lower layer", async () => {
    expect(await merged(lower, [file("d/.wh.a")])).toEqual(["d/", "d/b 2", "top 3"]);
  });

  test("hide a directory and all it holds", async () => {
    expect(await merged(lower, [file(".wh.d")])).toEqual(["top 3"]);
  });

  test("of what is not there do nothing", async () => {
    const nothing = [
      file(".wh.nothing"),
      file("no/.wh.thing"),
      file("top/.wh.x"),
      file("no/.wh..wh..opq"),
    ];
    expect(await merged(lower, nothing)).toEqual(["d/", "d/a 1", "d/b 2", "top 3"]);
  });

  test("never leave a file of their own name", async () => {
    expect(await merged([file(".wh.a"), file(".wh..wh..opq"), file(".wh..wh.plnk")])).toEqual([]);
  });

  test("leave alone what their own layer made, before and after", async () => {
    expect(await merged(lower, [file("top", "new"), file(".wh.top")])).toContain("top 3");
    expect(await merged(lower, [file(".wh.top"), file("top", "newer")])).toContain("top 5");
    expect(await merged(lower, [file("d/a", "xxxx"), file("d/.wh.a"), file(".wh.top")])).toEqual([
      "d/",
      "d/a 4",
      "d/b 2",
    ]);
  });

  test("of a directory leave what their own layer made in it, whatever the order", async () => {
    const made = [directory("d"), file("d/new", "4444")];
    const expected = ["d/", "d/new 4", "top 3"];
    expect(await merged(lower, [...made, file(".wh.d")])).toEqual(expected);
    expect(await merged(lower, [file(".wh.d"), ...made])).toEqual(expected);
    expect(
      await merged(lower, [made[0] as TestEntry, file(".wh.d"), made[1] as TestEntry]),
    ).toEqual(expected);
  });

  test("leave a directory that their own layer lists, without what lower layers have in it", async () => {
    expect(await merged(lower, [directory("d"), file(".wh.d")])).toEqual(["d/", "top 3"]);
  });

  test("leave a link that their own layer made to a lower file", async () => {
    const links = [hardlink("copy", "top"), file(".wh.top"), file(".wh.copy")];
    expect(await merged(lower, links)).toEqual(["copy 3", "d/", "d/a 1", "d/b 2"]);
  });

  test("of one layer do not act on the layers above it", async () => {
    expect(await merged(lower, [file(".wh.top")], [file("top", "again")])).toContain("top 5");
  });

  test("find their directory through a symbolic link of a lower layer", async () => {
    const linked = [...lower, symlink("link", "d")];
    expect(await merged(linked, [file("link/.wh.a")])).toEqual([
      "d/",
      "d/b 2",
      "link -> d",
      "top 3",
    ]);
  });

  test.each([".wh.", ".wh..", ".wh...", "d/.wh."])(
    "that name nothing (%j) are refused",
    async (path) => {
      await expect(merged(lower, [file(path)])).rejects.toMatchObject({
        code: "ROOTFS_WHITEOUT_INVALID",
        kind: "corrupt",
        details: { path },
      });
    },
  );
});

describe("an opaque directory", () => {
  const lower = [
    directory("d", { mode: 0o700 }),
    file("d/a", "1"),
    directory("d/sub"),
    file("d/sub/x", "1"),
    file("d/sub/y", "1"),
  ];

  test("hides all that lower layers have in it, and stays", async () => {
    const { tree } = await merge(layer(...lower), layer(file("d/.wh..wh..opq")));
    expect(listing(tree)).toEqual(["d/"]);
    expect(tree.attributes(nodeAt(tree, "d")).mode).toBe(0o700);
  });

  test("keeps what its own layer made, listed before or after, at any depth", async () => {
    const made = [file("d/new", "1"), file("d/sub/new", "1")];
    const expected = ["d/", "d/new 1", "d/sub/", "d/sub/new 1"];
    expect(await merged(lower, [...made, file("d/.wh..wh..opq")])).toEqual(expected);
    expect(await merged(lower, [file("d/.wh..wh..opq"), ...made])).toEqual(expected);
  });

  test("can be the root", async () => {
    expect(await merged(lower, [file("kept"), file(".wh..wh..opq")])).toEqual(["kept 0"]);
  });

  test("can be marked again: below, above, and once more in the next layer", async () => {
    const upper = [file("d/sub/.wh..wh..opq"), file("d/sub/z", "1"), file("d/.wh..wh..opq")];
    const twice = [...upper, file("d/.wh..wh..opq"), file(".wh.d"), file("d/late", "1")];
    expect(await merged(lower, twice)).toEqual(["d/", "d/late 1", "d/sub/", "d/sub/z 1"]);
    expect(await merged(lower, twice, [file("d/.wh..wh..opq")])).toEqual(["d/"]);
    const again = [file("d/.wh..wh..opq"), file("d", "file"), directory("d"), file("d/.wh.a")];
    expect(await merged(lower, again)).toEqual(["d/"]);
  });

  // As in the first release, whose bases keep their keys: what is made on the way is nobody's.
  test("removes a directory that a link's way made before it and left again", async () => {
    const links = [symlink("d/link", "made/../real"), directory("d/real"), directory("d/other")];
    const [marker, through] = [file(".wh..wh..opq"), file("d/link/f")];
    const real = ["d/", "d/real/", "d/real/f 0"];
    expect(await merged(links, [through, marker])).toEqual(real);
    expect(await merged(links, [file("d/.wh.other"), through, marker, marker])).toEqual(real);
    const again = [file("d/real/g"), symlink("d/link", "made/../real")];
    expect(await merged(links, [...again, marker, through, file(".wh.d")])).toEqual([
      "d/",
      "d/link -> made/../real",
      ...real.slice(1),
      "d/real/g 0",
    ]);
    expect(await merged(links, [...again, marker, through])).toContain("d/made/");
  });
});

describe("types", () => {
  test("replace one another, a directory with all it holds", async () => {
    const all = (path: string) => [
      file(path, "x"),
      symlink(path, "target"),
      directory(path),
      special(path, "fifo"),
      special(path, "char", 1, 3),
    ];
    for (const before of all("p")) {
      for (const after of all("p")) {
        const below = before.entry.type === "directory" ? [file("p/below")] : [];
        const result = await merged([before, ...below], [after]);
        const alone = await merged([after]);
        const keeps = before.entry.type === "directory" && after.entry.type === "directory";
        expect(result).toEqual(keeps ? ["p/", "p/below 0"] : alone);
      }
    }
  });

  test("carry owner, mode, time, attributes and device numbers", async () => {
    const more = {
      mode: 0o6751,
      uid: 70_000,
      gid: 4_000_000_000,
      mtime: { seconds: -5, nanoseconds: 999_999_999 },
      xattrs: [{ name: bytes("user.x"), value: bytes("\x00\xff") }],
    };
    const { tree } = await merge(layer(file("f", "x", more), special("dev", "block", 259, 66_000)));
    expect(tree.attributes(nodeAt(tree, "f"))).toMatchObject(more);
    expect(tree.attributes(nodeAt(tree, "dev"))).toMatchObject({
      type: "block",
      deviceMajor: 259,
      deviceMinor: 66_000,
    });
  });

  test("of a directory listed again: it keeps what it holds and takes all the rest", async () => {
    const before = directory("d", {
      mode: 0o700,
      xattrs: [{ name: bytes("user.a"), value: bytes("1") }],
    });
    const after = directory("d", { mode: 0o1777, uid: 5, mtime: { seconds: 9, nanoseconds: 1 } });
    const { tree } = await merge(layer(before, file("d/x")), layer(after));
    expect(listing(tree)).toEqual(["d/", "d/x 0"]);
    const attributes = tree.attributes(nodeAt(tree, "d"));
    expect(attributes).toMatchObject({
      mode: 0o1777,
      uid: 5,
      mtime: { seconds: 9, nanoseconds: 1 },
    });
    expect(attributes.xattrs).toEqual([]);
  });

  test("of entries with one name: the last wins", async () => {
    expect(await merged([file("f", "1"), file("f", "22"), file("f", "333")])).toEqual(["f 3"]);
  });

  test("a whiteout of the overlay kind, a device 0:0, is a device", async () => {
    expect(await merged([file("f")], [special("f", "char", 0, 0)])).toEqual(["f char"]);
  });
});

describe("the root", () => {
  test("takes its attributes from an entry", async () => {
    const { tree } = await merge(layer(directory("./", { mode: 0o700, uid: 3 })));
    expect(tree.attributes(tree.root)).toMatchObject({ mode: 0o700, uid: 3 });
  });

  test("has fixed attributes without one", async () => {
    const { tree } = await mergeWith({ epochSeconds: 7 }, layer(file("f")));
    expect(tree.attributes(tree.root)).toMatchObject({
      mode: 0o755,
      uid: 0,
      gid: 0,
      mtime: { seconds: 7, nanoseconds: 0 },
    });
  });

  test.each([file("./"), symlink("/", "elsewhere"), hardlink("a/..", "x")])(
    "cannot become anything else",
    async (entry) => {
      await expect(merged([file("x"), entry])).rejects.toMatchObject({
        code: "ROOTFS_ROOT_NOT_DIRECTORY",
      });
    },
  );
});

describe("parents", () => {
  test("that no layer lists are made, with fixed attributes", async () => {
    const { tree } = await mergeWith({ epochSeconds: 7 }, layer(file("a/b/c", "x")));
    expect(listing(tree)).toEqual(["a/", "a/b/", "a/b/c 1"]);
    expect(tree.attributes(nodeAt(tree, "a/b"))).toMatchObject({
      mode: 0o755,
      mtime: { seconds: 7 },
    });
  });

  test("that are symbolic links lead inside the image only", async () => {
    const lower = [
      directory("real"),
      symlink("abs", "/real"),
      symlink("rel", "./real"),
      symlink("up", "../../../real"),
    ];
    const upper = [file("abs/1"), file("rel/2"), file("up/3")];
    expect(await merged(lower, upper)).toEqual([
      "abs -> /real",
      "real/",
      "real/1 0",
      "real/2 0",
      "real/3 0",
      "rel -> ./real",
      "up -> ../../../real",
    ]);
  });

  test("that are absolute symbolic links deep in the image count from its root", async () => {
    const lower = [directory("a/real"), directory("real"), symlink("a/link", "/real")];
    expect(await merged(lower, [file("a/link/f")])).toEqual([
      "a/",
      "a/link -> /real",
      "a/real/",
      "real/",
      "real/f 0",
    ]);
  });

  test("that are symbolic links to nothing are made where they point", async () => {
    expect(await merged([symlink("link", "/not/there")], [file("link/f")])).toEqual([
      "link -> /not/there",
      "not/",
      "not/there/",
      "not/there/f 0",
    ]);
  });

  test("that are symbolic links are followed from where they are", async () => {
    const lower = [directory("a/b"), symlink("a/b/up", "../c"), directory("a/c")];
    expect(await merged(lower, [file("a/b/up/f")])).toContain("a/c/f 0");
  });

  test("that go round in a circle are refused", async () => {
    const circle = [symlink("a", "b"), symlink("b", "a")];
    await expect(merged(circle, [file("a/f")])).rejects.toMatchObject({
      code: "ROOTFS_SYMLINK_LOOP",
      kind: "corrupt",
    });
  });

  test("that are files are refused", async () => {
    await expect(merged([file("f")], [file("f/x")])).rejects.toMatchObject({
      code: "ROOTFS_PARENT_NOT_DIRECTORY",
    });
  });

  test("whose whiteout came first are new ones", async () => {
    const lower = [directory("etc"), symlink("a", "etc")];
    expect(await merged(lower, [file(".wh.a"), file("a/x")])).toEqual(["a/", "a/x 0", "etc/"]);
  });
});

describe("names", () => {
  test("are kept byte for byte", async () => {
    const name = "\xff\xfe\n\\ \x01";
    expect(await merged([file(name), file("n".repeat(255))])).toEqual([
      `${"n".repeat(255)} 0`,
      `${name} 0`,
    ]);
  });

  test("of more than 255 bytes are refused, with the layer and the path", async () => {
    const broken = layer(file(`d/${"n".repeat(256)}`));
    await expect(merge(broken)).rejects.toMatchObject({
      code: "EXT4_NAME_TOO_LONG",
      kind: "limit",
      details: { diffId: broken.diffId, path: expect.stringContaining("nnn") },
    });
  });

  test("that lead above the root are clamped there, with one warning for each layer", async () => {
    const warnings: RootfsWarning[] = [];
    const climbing = layer(file("../../a"), file("x/../../b"), hardlink("c", "../../a"));
    const { tree } = await mergeWith(
      { onWarning: (warning) => warnings.push(warning) },
      climbing,
      layer(),
    );
    expect(listing(tree)).toEqual(["a 0", "b 0", "c = a"]);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatchObject({ code: "ROOTFS_PATH_CLAMPED", diffId: climbing.diffId });
    expect(warnings[0]?.message).toContain("2 path(s)");
  });
});
