import { FileTree, type NodeAttributes, type NodeId } from "@box/ext4";
import { bytes, directory, file, symlink } from "../tree/nodes.ts";
import type { Contents } from "./build.ts";

/** Version 2; user::rwx, user:1000:r-x, group::r-x, mask::r-x, other::---. */
const acl = Uint8Array.from(
  [
    [2, 0, 0, 0],
    [1, 0, 7, 0, 255, 255, 255, 255],
    [2, 0, 5, 0, 0xe8, 3, 0, 0],
    [4, 0, 5, 0, 255, 255, 255, 255],
    [16, 0, 5, 0, 255, 255, 255, 255],
    [32, 0, 0, 0, 255, 255, 255, 255],
  ].flat(),
);

function xattr(name: string, value: Uint8Array | string): NodeAttributes["xattrs"][number] {
  return { name: bytes(name), value: typeof value === "string" ? bytes(value) : value };
}

/** Some bytes that are not zero and differ from place to place. */
export function pattern(length: number, seed = 1): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => ((i * 31 + seed * 7 + (i >> 8)) % 255) + 1);
}

/** A tree with one of everything: all types, odd names, links, every place for attributes, times far away. */
export function sampleTree(): { readonly tree: FileTree; readonly contents: Contents } {
  const tree = new FileTree({
    root: { ...directory, xattrs: [xattr("security.selinux", "system_u:object_r:root_t:s0")] },
  });
  const contents = new Map<NodeId, Uint8Array>();
  const addFile = (
    parent: NodeId,
    name: string | Uint8Array,
    content: Uint8Array,
    more: Partial<NodeAttributes> = {},
  ): NodeId => {
    const raw = typeof name === "string" ? bytes(name) : name;
    const node = tree.add(parent, raw, { ...file, ...more, sizeBytes: content.byteLength });
    contents.set(node, content);
    return node;
  };
  const etc = tree.add(tree.root, bytes("etc"), { ...directory, uid: 4_000_000_000, gid: 65_536 });
  const passwd = addFile(etc, "passwd", pattern(10_000));
  tree.link(tree.root, bytes("hard link"), passwd);
  addFile(etc, "empty", new Uint8Array(0));
  addFile(etc, "zeros", new Uint8Array(9000));
  addFile(etc, "setuid", pattern(1), { mode: 0o6755 });
  const sparse = addFile(etc, "sparse", new Uint8Array(1_000_000));
  (contents.get(sparse) as Uint8Array).set(pattern(5000), 500_000);
  tree.setFileData(sparse, 1_000_000, [{ offset: 500_000, length: 5000 }]);
  const hole = addFile(etc, "hole", new Uint8Array(300_000));
  tree.setFileData(hole, 300_000, []);
  const fragments = addFile(etc, "fragments", new Uint8Array(4096 * 800));
  const places = Array.from({ length: 400 }, (_, i) => i * 8192 + 10);
  for (const at of places) (contents.get(fragments) as Uint8Array).set(bytes(`at ${at}`), at);
  tree.setFileData(
    fragments,
    4096 * 800,
    places.map((offset) => ({ offset, length: 20 })),
  );
  tree.add(tree.root, bytes("short"), symlink("a".repeat(59)));
  tree.add(tree.root, bytes("long"), symlink("b".repeat(60)));
  tree.add(tree.root, bytes("longest"), symlink("c".repeat(4095)));
  const device = { ...file, mode: 0o600 };
  tree.add(etc, bytes("null"), { ...device, type: "char", deviceMajor: 1, deviceMinor: 3 });
  tree.add(etc, bytes("disk"), { ...device, type: "block", deviceMajor: 259, deviceMinor: 70_001 });
  tree.add(etc, bytes("edge"), { ...device, type: "char", deviceMajor: 255, deviceMinor: 256 });
  tree.add(etc, bytes("pipe"), { ...device, type: "fifo" });
  const names = tree.add(tree.root, bytes("names"), { ...directory, mode: 0o1777 });
  for (const name of [
    bytes("x".repeat(255)),
    Uint8Array.of(0xff, 0xfe),
    bytes("new\nline"),
    bytes("..."),
  ]) {
    addFile(names, name, pattern(3));
  }
  const times = tree.add(tree.root, bytes("times"), directory);
  for (const [seconds, nanoseconds] of [
    [-(2 ** 31), 1],
    [-1, 999_999_999],
    [2 ** 31 - 1, 0],
    [2 ** 31, 500_000_000],
    [2 ** 33 + 5, 5],
    [15_032_385_535, 999_999_999],
  ] as const) {
    addFile(times, `t${seconds}`, new Uint8Array(0), { mtime: { seconds, nanoseconds } });
  }
  const attributes = tree.add(tree.root, bytes("attributes"), {
    ...directory,
    xattrs: [xattr("system.posix_acl_default", acl), xattr("system.posix_acl_access", acl)],
  });
  const small = xattr("user.small", "value");
  const block = xattr("user.block", pattern(3000));
  const large = xattr("trusted.large", pattern(20_000));
  const huge = xattr("user.huge", pattern(65_536));
  addFile(attributes, "in inode", pattern(1), { xattrs: [small, xattr("user.empty", "")] });
  addFile(attributes, "in block", pattern(2), { xattrs: [block, small] });
  addFile(attributes, "outside", pattern(3), { xattrs: [large, block, small] });
  addFile(attributes, "outside too", pattern(4), { xattrs: [large, block, small] });
  addFile(attributes, "huge", pattern(4), { xattrs: [huge, xattr("security.capability", acl)] });
  tree.add(attributes, bytes("link"), { ...symlink("x"), xattrs: [xattr("trusted.t", "1")] });
  return { tree, contents };
}
