import type { TarXattr } from "@box/tar";
import { bytes, directory, file, hardlink, special, symlink, type TestEntry } from "./layers.ts";

/** Version 2; user::rwx, user:1000:r-x, group::r-x, mask::rwx, other::---. */
const acl: Uint8Array = Uint8Array.from(
  [
    [2, 0, 0, 0],
    [1, 0, 7, 0, 255, 255, 255, 255],
    [2, 0, 5, 0, 0xe8, 3, 0, 0],
    [4, 0, 5, 0, 255, 255, 255, 255],
    [16, 0, 7, 0, 255, 255, 255, 255],
    [32, 0, 0, 0, 255, 255, 255, 255],
  ].flat(),
);

/** cap_net_raw+ep, version 2. */
const capability: Uint8Array = Uint8Array.from(
  [1, 0, 0, 2, 0, 32, 0, 0].concat(new Array(12).fill(0)),
);

function xattr(name: string, value: string | Uint8Array): TarXattr {
  return {
    name: new TextEncoder().encode(name),
    value: typeof value === "string" ? bytes(value) : value,
  };
}

/**
 * An image with everything that the merge rules speak of. Every directory is listed, since a directory that no layer
 * lists has the time of its making in umoci.
 */
export const sampleLayers: readonly (readonly TestEntry[])[] = [
  [
    directory("./", { mtime: { seconds: 1_600_000_000, nanoseconds: 123_456_789 } }),
    directory("bin", { mode: 0o755 }),
    file("bin/su", "set-uid", { mode: 0o4755 }),
    file("bin/busybox", "b".repeat(10_000), { mode: 0o755 }),
    hardlink("bin/ls", "bin/busybox"),
    hardlink("bin/cat", "/bin/ls"),
    symlink("bin/sh", "busybox"),
    directory("etc"),
    file("etc/passwd", "root"),
    file("etc/shadow", "secret", { mode: 0o640, gid: 42 }),
    directory("etc/conf.d", { mode: 0o750 }),
    file("etc/conf.d/1", "one"),
    file("etc/conf.d/2", "two"),
    directory("var"),
    directory("var/cache", { mode: 0o1777, uid: 6, gid: 12 }),
    file("var/cache/old", "old"),
    directory("var/cache/deep"),
    file("var/cache/deep/er", "x"),
    directory("usr"),
    directory("usr/lib"),
    file("usr/lib/libc", "libc", { mtime: { seconds: 1_700_000_000, nanoseconds: 987_654_321 } }),
    symlink("lib", "usr/lib"),
    file("becomes-directory", "file"),
    directory("becomes-file"),
    file("becomes-file/below", "gone"),
    symlink("becomes-other", "etc"),
    directory("dev"),
    special("dev/null", "char", 1, 3),
    special("dev/sda", "block", 8, 0),
    special("dev/pipe", "fifo"),
    file("zeros", new Uint8Array(200_000)),
    file("labelled", "x", { xattrs: [{ name: bytes("user.label"), value: bytes("a\x00b") }] }),
    file("\xff\xfe name\n", "odd name", { uid: 70_000, gid: 3_000_000_000 }),
    directory("attributes", { mode: 0o775, xattrs: [xattr("system.posix_acl_default", acl)] }),
    file("attributes/acl", "x", { mode: 0o770, xattrs: [xattr("system.posix_acl_access", acl)] }),
    file("attributes/ping", "x", { xattrs: [xattr("security.capability", capability)] }),
    file("attributes/several", "x", {
      xattrs: [
        xattr("user.z", "z".repeat(200)),
        xattr("user.a", "a"),
        xattr("trusted.kept", "only root sees it"),
        xattr("user.\u00e9", "a name in UTF-8"),
      ],
    }),
    directory("attributes/replaced", { xattrs: [xattr("user.old", "old")] }),
    symlink("attributes/link", "acl", { xattrs: [xattr("trusted.link", "on a link")] }),
    special("dev/large", "block", 259, 70_001),
    directory("links"),
    file("links/a", "shared"),
    hardlink("links/b", "links/a"),
    hardlink("links/c", "links/a"),
  ],
  [
    file("etc/.wh.shadow"),
    directory("etc/conf.d", { mode: 0o700, uid: 9 }),
    file("etc/conf.d/3", "three"),
    file("etc/conf.d/.wh..wh..opq"),
    directory("var"),
    file("var/.wh.cache"),
    directory("var/cache", { mode: 0o755 }),
    file("var/cache/new", "new"),
    file("lib/libm", "through a link"),
    file("lib/.wh.libc"),
    directory("becomes-directory"),
    file("becomes-directory/below", "new"),
    file("becomes-file", "file"),
    file("becomes-other", "file"),
    file(".wh.nothing"),
    file(".wh.links-that-are-not"),
    directory("attributes/replaced", { xattrs: [xattr("user.new", "new")] }),
    file("links/.wh.a"),
    hardlink("links/d", "links/b"),
    file("links/c", "no more a link"),
  ],
  [
    file("etc/passwd", "root and more", { mtime: { seconds: -1, nanoseconds: 500_000_000 } }),
    file("bin/.wh.cat"),
    hardlink("bin/vi", "bin/busybox"),
    file("kept", "made before its whiteout"),
    file(".wh.kept"),
    hardlink("hard-to-symlink", "bin/sh"),
    file("far/../future", "2200", { mtime: { seconds: 7_258_118_400, nanoseconds: 1 } }),
  ],
];
