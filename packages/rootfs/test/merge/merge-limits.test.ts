import { FileTree } from "@box/ext4";
import type { LayerSource, RootfsWarning } from "@box/rootfs";
import fc from "fast-check";
import { describe, expect, onTestFinished, test, vi } from "vitest";
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
  symlink,
  type TestEntry,
} from "./layers.ts";

describe("limits", () => {
  test.each([
    ["layers", { maxLayers: 1 }],
    ["entries", { maxEntries: 2 }],
    ["files", { maxNodes: 3 }],
    ["bytes of a path", { maxPathBytes: 5 }],
    ["bytes of links before their targets", { maxPendingLinkBytes: 4 }],
  ])("refuse too many %s", async (_what, limits) => {
    const layers = [
      layer(file("a/b")),
      layer(hardlink("link", "target"), file("target"), file("a/longer")),
    ];
    await expect(mergeWith({ limits }, ...layers)).rejects.toMatchObject({
      code: "ROOTFS_LIMIT",
      kind: "limit",
    });
  });

  test("allow 1,000 layers, and no more unless they are raised", async () => {
    const layers = Array.from({ length: 1000 }, (_, i) =>
      layer(file(`f${i}`, `${i}`), file(`.wh.f${i - 1}`), hardlink(`l${i}`, `f${i}`)),
    );
    const { tree, contentsOf } = await merge(...layers);
    expect(listing(tree)).toHaveLength(1001);
    expect(listing(tree)).toContain("f999 3");
    expect(contentsOf(17).entries).toEqual(Float64Array.of(0));
    await expect(merge(...layers, layer())).rejects.toMatchObject({
      code: "ROOTFS_LIMIT",
      details: { count: 1001, maxLayers: 1000 },
    });
  });

  test("can be raised above 65,536 layers, whose content is not mixed up", async () => {
    const empty = layer();
    const layers = [layer(file("a", "1")), ...Array<LayerSource>(65_535).fill(empty)];
    const options = { limits: { maxLayers: 70_000 } };
    const { tree, contentsOf } = await mergeWith(options, ...layers, layer(file("b", "2")));
    expect(contentsOf(0).nodes).toEqual(Uint32Array.of(nodeAt(tree, "a")));
    expect(contentsOf(65_536).nodes).toEqual(Uint32Array.of(nodeAt(tree, "b")));
  });

  test("refuse too many bytes of links on the way to entries, of all layers together", async () => {
    const target = `${"d/../".repeat(800)}d`;
    const links = Array.from({ length: 38 }, (_, i) =>
      symlink(`l${i}`, `l${i + 1}/${"../".repeat(1300)}d`),
    );
    const lower = layer(directory("d"), symlink("l38", target), ...links);
    const upper = (count: number) =>
      layer(...Array.from({ length: count }, (_, i) => file(`l0/${i}`)));
    const bytesOfOne = 38 * 3900 + target.length;
    const limits = { maxFollowedBytes: bytesOfOne * 5.5 };
    const { tree } = await mergeWith({ limits }, lower, upper(2), upper(3));
    expect(listing(tree)).toContain("d/1 0");
    await expect(mergeWith({ limits }, lower, upper(2), upper(4))).rejects.toMatchObject({
      code: "ROOTFS_LIMIT",
      details: { path: "l0/3" },
    });
  });

  test("hold for links with attributes: those on the way are not read", async () => {
    const read = vi.spyOn(FileTree.prototype, "attributes");
    onTestFinished(() => read.mockRestore());
    const xattrs = Array.from({ length: 200 }, (_, i) => ({
      name: bytes(`user.${i}`),
      value: bytes("1"),
    }));
    const { tree } = await merge(layer(symlink("a", ".", { xattrs }), file("a/a/a/f")));
    expect(read).not.toHaveBeenCalled();
    expect(listing(tree)).toEqual(["a -> .", "f 0"]);
  });

  test("hold for directories that links lead to", async () => {
    const deep = `/${"d/".repeat(100)}`;
    const layers = [layer(symlink("link", deep)), layer(file("link/f"))];
    await expect(mergeWith({ limits: { maxNodes: 50 } }, ...layers)).rejects.toMatchObject({
      code: "ROOTFS_LIMIT",
    });
  });
});

test("hard links before their targets count with what keeping them takes", async () => {
  const links = Array.from({ length: 4 }, (_, i) => hardlink(`${i}`, "t"));
  const layers = [layer(...links, file("t"))];
  const limits = { maxPendingLinkBytes: 4 * (256 + 2) };
  expect(listing((await mergeWith({ limits }, ...layers)).tree)).toHaveLength(5);
  const tight = { maxPendingLinkBytes: limits.maxPendingLinkBytes - 1 };
  await expect(mergeWith({ limits: tight }, ...layers)).rejects.toMatchObject({
    code: "ROOTFS_LIMIT",
  });
});

describe("memory", () => {
  const text = "x".repeat(4000);
  const xattrs = [{ name: bytes("user.a"), value: bytes(text) }];
  test.each<[string, (i: number) => TestEntry]>([
    ["names", (i) => file(`${text.slice(0, 250)}${i}`)],
    ["targets of a link that is replaced", (i) => symlink("s", `${text}${i}`)],
    [
      "attributes of a directory that is listed again",
      (i) => directory("d", { xattrs: [{ name: bytes("user.a"), value: bytes(`${text}${i}`) }] }),
    ],
    [
      "short attributes, of which there are more than bytes",
      (i) => {
        const names = Array.from({ length: 20 }, (_, k) => bytes(`user.${k}`));
        const short = names.map((name) => ({ name, value: bytes(`${i}`) }));
        return directory("d", { xattrs: i < 400 ? short : [] });
      },
    ],
  ])("is refused to too many bytes of %s", async (_what, entryOf) => {
    const entries = Array.from({ length: 9000 }, (_, i) => entryOf(i));
    const limits = { maxTextBytes: 2 * 2 ** 20 };
    await expect(mergeWith({ limits }, layer(...entries))).rejects.toMatchObject({
      code: "EXT4_TOO_MANY_NODES",
      kind: "limit",
    });
  });

  test("holds attributes that many files share once", async () => {
    const entries = Array.from({ length: 2000 }, (_, i) => file(`f${i}`, "", { xattrs }));
    const limits = { maxTextBytes: 2 * 2 ** 20 };
    const { tree } = await mergeWith({ limits }, layer(...entries));
    expect(tree.attributes(nodeAt(tree, "f1999")).xattrs).toEqual(xattrs);
  });
});

describe("many markers", () => {
  test.each(["d/.wh..wh..opq", ".wh.d"])(
    "of one directory, %s, look at what it holds once",
    async (marker) => {
      const walked = vi.spyOn(FileTree.prototype, "children");
      onTestFinished(() => walked.mockRestore());
      const own = Array.from({ length: 50 }, (_, i) => file(`d/sub/${i}`));
      const markers = Array.from({ length: 50 }, () => file(marker));
      const { tree } = await merge(layer(directory("d"), file("d/x")), layer(...own, ...markers));
      expect(walked).toHaveBeenCalledTimes(2);
      expect(listing(tree)).toHaveLength(52);
    },
  );
});

test("a directory that is made between markers on and on is looked through only so often", async () => {
  const own = Array.from({ length: 50 }, (_, i) => file(`d/${i}`));
  const turns = Array.from({ length: 50 }, () => [file("d/.wh..wh..opq"), file("d/s/f")]).flat();
  const layers = [layer(...own, symlink("d/s", "made/../../e"), directory("e"), ...turns)];
  const tight = { maxEntries: 155 };
  await expect(mergeWith({ limits: tight }, ...layers)).rejects.toMatchObject({
    code: "ROOTFS_LIMIT",
    message: expect.stringContaining("whiteouts"),
  });
  expect(listing((await mergeWith({}, ...layers)).tree)).toContain("e/f 0");
});

test("directories that a link's way makes after a marker look once at those above them", async () => {
  const deep = "d/".repeat(300);
  const way = Array.from({ length: 300 }, (_, i) => `${i}/../`).join("");
  const lower = layer(directory(deep), symlink("s", deep + way));
  const markers = [file("d/.wh..wh..opq"), directory("e"), file("e/.wh..wh..opq")];
  const upper = layer(file(`${deep}f`), ...markers, file("s/g"));
  const climbed = vi.spyOn(FileTree.prototype, "parentOf");
  onTestFinished(() => climbed.mockRestore());
  const { tree } = await merge(lower, upper);
  expect(listing(tree)).toContain(`${deep}299/`);
  expect(climbed.mock.calls.length).toBeLessThan(3000);
});

describe("mergeLayers", () => {
  const entries = [directory("d"), file("d/f", "content"), hardlink("h", "d/f"), symlink("s", "d")];

  test("gives the same tree however a layer is cut", async () => {
    const archive = archiveOf(entries);
    const whole = listing((await merge(layerOfArchive(archive))).tree);
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 2000 }), async (chunkBytes) => {
        expect(listing((await merge(layerOfArchive(archive, chunkBytes))).tree)).toEqual(whole);
      }),
      { numRuns: 20 },
    );
  });

  test("says where the content of live files is, and of no others", async () => {
    const result = await merge(
      layer(file("a", "1"), file("gone", "2"), file("empty"), file("c", "3")),
      layer(file(".wh.gone"), file("c", "new")),
    );
    const a = nodeAt(result.tree, "a");
    const c = nodeAt(result.tree, "c");
    expect(result.contentsOf(0)).toEqual({ entries: Float64Array.of(0), nodes: Uint32Array.of(a) });
    expect(result.contentsOf(1)).toEqual({ entries: Float64Array.of(1), nodes: Uint32Array.of(c) });
  });

  test("keeps holes as holes", async () => {
    const { tree } = await merge(
      layer(file("zeros", new Uint8Array(100_000)), file("data", "x".repeat(9000))),
    );
    expect(tree.dataRuns(nodeAt(tree, "zeros"))).toEqual([]);
    expect(tree.dataRuns(nodeAt(tree, "data"))).toEqual([{ offset: 0, length: 9000 }]);
  });

  test("tells about each layer that is done", async () => {
    const done: string[] = [];
    await mergeWith(
      { onLayer: (count, total) => done.push(`${count}/${total}`) },
      layer(),
      layer(),
    );
    expect(done).toEqual(["1/2", "2/2"]);
  });

  test("warns of access control lists that cannot be kept", async () => {
    const warnings: RootfsWarning[] = [];
    const acl = { name: bytes("user.x"), value: bytes("1") };
    const archive = Buffer.from(archiveOf([file("f", "", { xattrs: [acl] })]));
    // The same length: SCHILY.xattr.user.x=1 becomes a text ACL whose user has no number.
    const record = archive.indexOf("SCHILY.xattr.user.x=1");
    expect(record).toBeGreaterThan(0);
    archive.write("SCHILY.acl.access=u:x", record);
    await mergeWith({ onWarning: (warning) => warnings.push(warning) }, layerOfArchive(archive));
    expect(warnings.map((warning) => warning.code)).toEqual(["TAR_ACL_DROPPED"]);
  });

  test("drops attributes that no file system of Linux holds, with one warning for each layer", async () => {
    const warnings: RootfsWarning[] = [];
    const xattrs = ["com.apple.quarantine", "user.kept", "user.", "system.data"].map((name) => ({
      name: bytes(name),
      value: bytes("1"),
    }));
    const odd = layer(directory("./", { xattrs }), file("f", "", { xattrs }), file("g"));
    const { tree } = await mergeWith({ onWarning: (warning) => warnings.push(warning) }, odd);
    for (const node of [tree.root, nodeAt(tree, "f")]) {
      expect(tree.attributes(node).xattrs).toEqual([
        { name: bytes("user.kept"), value: bytes("1") },
      ]);
    }
    expect(warnings).toEqual([
      {
        code: "ROOTFS_XATTR_DROPPED",
        message: expect.stringMatching(/^6 extended attribute\(s\) .* "com\.apple\.quarantine"$/),
        diffId: odd.diffId,
      },
    ]);
  });

  test("says which layer is broken, and after which path", async () => {
    const broken = layerOfArchive(archiveOf([file("first", "x")]).subarray(0, 512));
    await expect(merge(broken)).rejects.toMatchObject({
      kind: "corrupt",
      message: expect.stringContaining(broken.diffId),
      details: { path: "first" },
    });
  });

  test("passes on what a layer throws", async () => {
    const failing = {
      diffId: "sha256:0",
      async *open() {
        yield archiveOf([file("a")]);
        throw new Error("digest mismatch");
      },
    };
    await expect(merge(failing)).rejects.toThrow("digest mismatch");
  });

  test("stops when it is told to", async () => {
    const signal = AbortSignal.abort();
    await expect(mergeWith({ signal }, layer(file("a")))).rejects.toThrow(/abort/i);
  });
});
