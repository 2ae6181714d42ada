import { FileTree } from "@box/ext4";
import { describe, expect, test } from "vitest";
import { bytes, directory, file, symlink, text } from "./nodes.ts";

function names(tree: FileTree, node: number): string[] {
  return [...tree.children(node)].map(({ name }) => text(name));
}

describe("FileTree", () => {
  test("starts with an empty root owned by root", () => {
    const tree = new FileTree();
    expect(tree.nodeCount).toBe(1);
    expect(tree.attributes(tree.root)).toMatchObject({ type: "directory", mode: 0o755, uid: 0 });
    expect(names(tree, tree.root)).toEqual([]);
    expect(tree.parentOf(tree.root)).toBe(tree.root);
  });

  test("keeps every attribute of every type", () => {
    const tree = new FileTree();
    const nodes = [
      { ...file, mode: 0o4755, uid: 4_000_000_000, gid: 70_000, sizeBytes: 10, dataRuns: [] },
      { ...file, sizeBytes: 5000, dataRuns: [{ offset: 10, length: 20 }] },
      { ...symlink("../t"), mtime: { seconds: -1, nanoseconds: 999_999_999 } },
      { ...file, type: "char" as const, deviceMajor: 4095, deviceMinor: 1_048_575 },
      { ...file, type: "fifo" as const, xattrs: [{ name: bytes("user.a"), value: bytes("1") }] },
    ];
    for (const [i, attributes] of nodes.entries()) {
      const node = tree.add(tree.root, bytes(`n${i}`), attributes);
      expect(tree.attributes(node)).toEqual(attributes);
    }
  });

  test("takes all of a file for data when no ranges are given", () => {
    const tree = new FileTree();
    const node = tree.add(tree.root, bytes("f"), { ...file, sizeBytes: 7 });
    expect(tree.dataRuns(node)).toEqual([{ offset: 0, length: 7 }]);
    tree.setFileData(node, 0);
    expect(tree.dataRuns(node)).toEqual([]);
    tree.setFileData(node, 9, [{ offset: 2, length: 3 }]);
    expect(tree.attributes(node)).toMatchObject({
      sizeBytes: 9,
      dataRuns: [{ offset: 2, length: 3 }],
    });
  });

  test("gives a symlink mode 0777 whatever it was asked for", () => {
    const tree = new FileTree();
    const node = tree.add(tree.root, bytes("s"), { ...symlink("x"), mode: 0 });
    expect(tree.attributes(node).mode).toBe(0o777);
  });

  test("keeps of several attributes with one name the last", () => {
    const tree = new FileTree();
    const xattrs = ["1", "2"].map((value) => ({ name: bytes("user.a"), value: bytes(value) }));
    const node = tree.add(tree.root, bytes("f"), { ...file, xattrs });
    expect(tree.attributes(node).xattrs).toEqual(xattrs.slice(1));
  });

  test("keeps equal sets of attributes apart from those that only begin alike", () => {
    const tree = new FileTree();
    const sets = ["a=12;b=", "a=12", "a=1;b=2", "a=1", "ab=1", "b=2;a=1", "a=1;b=2"].map((set) =>
      set.split(";").map((each) => {
        const [name, value] = each.split("=");
        return { name: bytes(`user.${name}`), value: bytes(value ?? "") };
      }),
    );
    const nodes = sets.map((xattrs, i) => tree.add(tree.root, bytes(`${i}`), { ...file, xattrs }));
    const sorted = sets.map((xattrs) => xattrs.toSorted((x, y) => (x.name < y.name ? -1 : 1)));
    expect(nodes.map((node) => tree.attributes(node).xattrs)).toEqual(sorted);
  });

  test("keeps a copy of attributes, of the largest and of empty ones", () => {
    const tree = new FileTree({ maxTextBytes: 3 * 2 ** 20 });
    const name = bytes("user.a");
    const values = Array.from({ length: 30 }, (_, i) => new Uint8Array(i % 2 === 0 ? 65_536 : 0));
    const nodes = values.map((value, i) => {
      const node = tree.add(tree.root, bytes(`${i}`), { ...file, xattrs: [{ name, value }] });
      return [node, value.byteLength] as const;
    });
    for (const value of values) value.fill(1);
    name.fill(1);
    for (const [node, length] of nodes) {
      const expected = { name: bytes("user.a"), value: new Uint8Array(length) };
      expect(tree.attributes(node).xattrs).toEqual([expected]);
    }
  });

  test("keeps an empty value at the end of a full mebibyte of memory", () => {
    const tree = new FileTree();
    for (let i = 0; i < 17; i++) {
      const xattrs = [{ name: bytes("user.a"), value: new Uint8Array(60_000).fill(i) }];
      tree.add(tree.root, bytes(`${i}`), { ...file, xattrs });
    }
    // Before it: lost+found, the names of 17 files, 17 attributes; each attribute has a header of four bytes.
    const rest = 2 ** 20 - 10 - 24 - 17 * 60_010 - 2 * 10;
    const xattrs = [
      { name: bytes("user.a"), value: new Uint8Array(rest) },
      { name: bytes("user.b"), value: new Uint8Array(0) },
    ];
    const node = tree.add(tree.root, bytes("last"), { ...file, xattrs });
    expect(tree.attributes(node).xattrs).toEqual(xattrs);
  });

  test("refuses more ranges of sparse files than memory is allowed for, replaced ones included", () => {
    const tree = new FileTree({ maxTextBytes: 2 ** 20 });
    const dataRuns = Array.from({ length: 1000 }, (_, i) => ({ offset: i * 10, length: 1 }));
    const attributes = { ...file, sizeBytes: 10_000, dataRuns };
    for (let i = 0; i < 65; i++) tree.add(tree.root, bytes("f"), attributes);
    expect(() => tree.add(tree.root, bytes("f"), attributes)).toThrow(
      expect.objectContaining({ code: "EXT4_TOO_MANY_NODES", kind: "limit" }),
    );
  });

  test("replaces what had the name, a directory with all it holds", () => {
    const tree = new FileTree();
    const old = tree.add(tree.root, bytes("a"), directory);
    const deep = tree.add(old, bytes("deep"), directory);
    const kept = tree.add(deep, bytes("kept"), file);
    tree.link(tree.root, bytes("also"), kept);
    tree.add(deep, bytes("lost"), file);
    const fresh = tree.add(tree.root, bytes("a"), symlink("b"));
    expect(tree.lookup(tree.root, bytes("a"))).toBe(fresh);
    expect([old, deep, kept].map((node) => tree.isAlive(node))).toEqual([false, false, true]);
    expect(tree.linkCount(kept)).toBe(1);
    expect(tree.nodeCount).toBe(3);
    expect(names(tree, tree.root)).toEqual(["a", "also"]);
  });

  test("lets a node live until its last name is gone, whichever goes first", () => {
    const tree = new FileTree();
    const node = tree.add(tree.root, bytes("first"), file);
    tree.link(tree.root, bytes("second"), node);
    expect(tree.linkCount(node)).toBe(2);
    expect(tree.remove(tree.root, bytes("first"))).toBe(true);
    expect(tree.lookup(tree.root, bytes("second"))).toBe(node);
    expect(tree.remove(tree.root, bytes("second"))).toBe(true);
    expect(tree.isAlive(node)).toBe(false);
    expect(tree.remove(tree.root, bytes("second"))).toBe(false);
    expect(() => tree.link(tree.root, bytes("third"), node)).toThrow("has no name");
    expect(() => tree.setAttributes(node, file)).toThrow("has no name");
  });

  test("does nothing when a name is linked to what it already names", () => {
    const tree = new FileTree();
    const node = tree.add(tree.root, bytes("a"), file);
    tree.link(tree.root, bytes("a"), node);
    expect(tree.linkCount(node)).toBe(1);
  });

  test("keeps a node that is linked over the directory it lay in", () => {
    const tree = new FileTree();
    const dir = tree.add(tree.root, bytes("d"), directory);
    const node = tree.add(dir, bytes("f"), file);
    tree.link(tree.root, bytes("d"), node);
    expect(tree.linkCount(node)).toBe(1);
    expect(tree.lookup(tree.root, bytes("d"))).toBe(node);
  });

  test("refuses a second name for a directory", () => {
    const tree = new FileTree();
    const dir = tree.add(tree.root, bytes("d"), directory);
    expect(() => tree.link(tree.root, bytes("e"), dir)).toThrow(
      expect.objectContaining({ code: "EXT4_LINK_TO_DIRECTORY" }),
    );
  });

  test("refuses the name after the last one that is allowed", () => {
    const tree = new FileTree({ maxLinks: 2 });
    const node = tree.add(tree.root, bytes("a"), file);
    tree.link(tree.root, bytes("b"), node);
    expect(() => tree.link(tree.root, bytes("c"), node)).toThrow(
      expect.objectContaining({ code: "EXT4_TOO_MANY_LINKS", kind: "limit" }),
    );
  });

  test("walks on when the name it stands on and the next one are removed", () => {
    const tree = new FileTree();
    for (const name of ["a", "b", "c", "d"]) tree.add(tree.root, bytes(name), file);
    const seen: string[] = [];
    for (const { name } of tree.children(tree.root)) {
      seen.push(text(name));
      if (text(name) === "a") for (const gone of ["a", "b"]) tree.remove(tree.root, bytes(gone));
    }
    expect(seen).toEqual(["a", "c", "d"]);
  });

  test("clears a directory and keeps it", () => {
    const tree = new FileTree();
    const dir = tree.add(tree.root, bytes("d"), directory);
    tree.add(tree.add(dir, bytes("e"), directory), bytes("f"), file);
    tree.clear(dir);
    expect(tree.nodeCount).toBe(2);
    expect(names(tree, dir)).toEqual([]);
    tree.add(dir, bytes("g"), file);
    expect(names(tree, dir)).toEqual(["g"]);
  });

  test("gives each name a number that stays while it is there, and is never used again", () => {
    const tree = new FileTree();
    const node = tree.add(tree.root, bytes("f"), file);
    const id = tree.nameId(tree.root, bytes("f"));
    tree.link(tree.root, bytes("g"), node);
    expect(tree.nameId(tree.root, bytes("g"))).not.toBe(id);
    tree.add(tree.root, bytes("f"), directory);
    expect(tree.nameId(tree.root, bytes("f"))).toBe(id);
    tree.remove(tree.root, bytes("f"));
    expect(tree.nameId(tree.root, bytes("f"))).toBeUndefined();
    tree.add(tree.root, bytes("f"), file);
    expect(tree.nameId(tree.root, bytes("f"))).not.toBe(id);
  });

  test("removes a hundred thousand levels without recursion", () => {
    const tree = new FileTree();
    let at = tree.root;
    for (let i = 0; i < 100_000; i++) at = tree.add(at, bytes("d"), directory);
    expect(tree.nodeCount).toBe(100_001);
    tree.remove(tree.root, bytes("d"));
    expect(tree.nodeCount).toBe(1);
    expect(tree.nodeLimit).toBe(100_001);
  });

  test("changes attributes but never the type", () => {
    const tree = new FileTree();
    const dir = tree.add(tree.root, bytes("d"), directory);
    tree.add(dir, bytes("f"), file);
    tree.setAttributes(dir, { ...directory, uid: 7 });
    expect(tree.attributes(dir).uid).toBe(7);
    expect(names(tree, dir)).toEqual(["f"]);
    expect(() => tree.setAttributes(dir, file)).toThrow("cannot become a file");
  });

  test("keeps names like __proto__ and bytes that are not UTF-8 apart", () => {
    const tree = new FileTree();
    const odd = [
      bytes("__proto__"),
      bytes("constructor"),
      Uint8Array.of(0xff),
      Uint8Array.of(0xfe),
    ];
    const nodes = odd.map((name) => tree.add(tree.root, name, file));
    expect(odd.map((name) => tree.lookup(tree.root, name))).toEqual(nodes);
    expect(tree.lookup(tree.root, bytes("toString"))).toBeUndefined();
  });

  test("is programmed against: no children of files, no root that is a file, no data in directories", () => {
    const tree = new FileTree();
    const node = tree.add(tree.root, bytes("f"), file);
    expect(() => tree.add(node, bytes("x"), file)).toThrow("not a directory");
    expect(() => new FileTree({ root: file })).toThrow("must be a directory");
    expect(() => tree.setFileData(tree.root, 1)).toThrow("only a file");
  });
});
