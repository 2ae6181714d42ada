import { type Ext4ErrorCode, FileTree, type NodeAttributes, planExt4 } from "@box/ext4";
import { describe, expect, test } from "vitest";
import { bytes, file, symlink } from "./nodes.ts";

function xattr(name: string, value: Uint8Array = bytes("v")): NodeAttributes {
  return { ...file, xattrs: [{ name: bytes(name), value }] };
}

/** As many attributes with the shortest names and no values. */
function manyXattrs(count: number): NodeAttributes {
  const letters = Array.from(
    { length: count },
    (_, i) => `user.${i.toString(36).padStart(2, "0")}`,
  );
  return { ...file, xattrs: letters.map((name) => ({ name: bytes(name), value: bytes("") })) };
}

const badNames: [string, Uint8Array, Ext4ErrorCode][] = [
  ["an empty name", bytes(""), "EXT4_BAD_NAME"],
  [".", bytes("."), "EXT4_BAD_NAME"],
  ["..", bytes(".."), "EXT4_BAD_NAME"],
  ["a slash", bytes("a/b"), "EXT4_BAD_NAME"],
  ["a NUL", bytes("a\0b"), "EXT4_BAD_NAME"],
  ["256 bytes", new Uint8Array(256).fill(0x61), "EXT4_NAME_TOO_LONG"],
];

const badAttributes: [string, NodeAttributes, Ext4ErrorCode][] = [
  ["an unknown type", { ...file, type: "socket" as never }, "EXT4_BAD_ATTRIBUTE"],
  ["a mode with type bits", { ...file, mode: 0o100644 }, "EXT4_BAD_ATTRIBUTE"],
  ["a negative uid", { ...file, uid: -1 }, "EXT4_BAD_ATTRIBUTE"],
  ["a gid of 33 bits", { ...file, gid: 2 ** 32 }, "EXT4_BAD_ATTRIBUTE"],
  ["half a second", { ...file, mtime: { seconds: 0.5, nanoseconds: 0 } }, "EXT4_BAD_ATTRIBUTE"],
  [
    "a full second of ns",
    { ...file, mtime: { seconds: 0, nanoseconds: 1e9 } },
    "EXT4_BAD_ATTRIBUTE",
  ],
  ["no device numbers", { ...file, type: "block" }, "EXT4_BAD_ATTRIBUTE"],
  [
    "a minor of 21 bits",
    { ...file, type: "char", deviceMajor: 1, deviceMinor: 2 ** 20 },
    "EXT4_BAD_ATTRIBUTE",
  ],
  ["a negative size", { ...file, sizeBytes: -1 }, "EXT4_BAD_ATTRIBUTE"],
  ["a size over 16 TiB", { ...file, sizeBytes: 2 ** 44 }, "EXT4_FILE_TOO_LARGE"],
  [
    "an empty range",
    { ...file, sizeBytes: 9, dataRuns: [{ offset: 0, length: 0 }] },
    "EXT4_BAD_ATTRIBUTE",
  ],
  [
    "a range past the end",
    { ...file, sizeBytes: 9, dataRuns: [{ offset: 5, length: 5 }] },
    "EXT4_BAD_ATTRIBUTE",
  ],
  [
    "ranges that overlap",
    {
      ...file,
      sizeBytes: 9,
      dataRuns: [
        { offset: 0, length: 5 },
        { offset: 4, length: 1 },
      ],
    },
    "EXT4_BAD_ATTRIBUTE",
  ],
  ["a symlink to nothing", symlink(""), "EXT4_BAD_SYMLINK"],
  ["a symlink without a target", { ...file, type: "symlink" }, "EXT4_BAD_SYMLINK"],
  ["a symlink with a NUL", symlink("a\0"), "EXT4_BAD_SYMLINK"],
  ["a symlink of 4,096 bytes", symlink("a".repeat(4096)), "EXT4_BAD_SYMLINK"],
  ["an attribute without a namespace", xattr("mime"), "EXT4_XATTR_UNSUPPORTED"],
  ["an attribute of an unknown namespace", xattr("btrfs.compression"), "EXT4_XATTR_UNSUPPORTED"],
  ["an attribute that is a bare namespace", xattr("user."), "EXT4_XATTR_UNSUPPORTED"],
  ["ext4's own system.data", xattr("system.data"), "EXT4_XATTR_UNSUPPORTED"],
  ["an attribute's name of 256 bytes", xattr(`user.${"a".repeat(251)}`), "EXT4_XATTR_UNSUPPORTED"],
  ["a value over 64 KiB", xattr("user.a", new Uint8Array(65_537)), "EXT4_XATTR_TOO_LARGE"],
  ["attributes whose names no block can hold", manyXattrs(208), "EXT4_XATTR_TOO_LARGE"],
  ["an ACL that is none", xattr("system.posix_acl_access"), "EXT4_BAD_ACL"],
];

describe("a file tree refuses", () => {
  test.each(badNames)("%s as a name", (_, name, code) => {
    const tree = new FileTree();
    expect(() => tree.add(tree.root, name, file)).toThrow(expect.objectContaining({ code }));
    expect(tree.nodeCount).toBe(1);
  });

  test.each(badAttributes)("%s", (_, attributes, code) => {
    const tree = new FileTree();
    expect(() => tree.add(tree.root, bytes("x"), attributes)).toThrow(
      expect.objectContaining({ code }),
    );
    expect([...tree.children(tree.root)]).toEqual([]);
  });
});

describe("a file tree takes", () => {
  test("as many attributes as one inode can have", () => {
    const tree = new FileTree();
    tree.add(tree.root, bytes("f"), manyXattrs(207));
    expect(planExt4(tree).usedInodes).toBe(12);
  });

  test("the longest names, targets, values and files", () => {
    const tree = new FileTree();
    tree.add(tree.root, new Uint8Array(255).fill(0xff), symlink("a".repeat(4095)));
    tree.add(tree.root, bytes("f"), {
      ...xattr(`security.${"a".repeat(246)}`, new Uint8Array(65_536)),
      sizeBytes: (2 ** 32 - 1) * 4096,
    });
    tree.add(tree.root, bytes("..."), file);
    expect(tree.nodeCount).toBe(4);
  });
});
