import { directory, file, hardlink, opaque, symlink, whiteout } from "./entries.ts";
import { type Architecture, writeHello } from "./program/hello.ts";
import type { LayerFile } from "./tar.ts";

/** How a layer is stored: as it is, or compressed; `gzip-members` is gzip in two pieces, one after the other. */
export type LayerStorage = "plain" | "gzip" | "gzip-members" | "zstd";

/** A layer of the sample image, before it becomes a blob. */
export interface SampleLayer {
  /** What the image's history says about it. */
  readonly comment: string;
  /** How it is stored. */
  readonly storage: LayerStorage;
  /** Its files, in the order of the tar. */
  readonly files: readonly LayerFile[];
}

/** The sample's layers, lowest first. Only the second differs between architectures. */
export function sampleLayers(architecture: Architecture): readonly SampleLayer[] {
  return [
    { comment: "files that later layers change", storage: "gzip", files: baseFiles() },
    { comment: "the program", storage: "zstd", files: programFiles(architecture) },
    { comment: "whiteouts and links", storage: "plain", files: changedFiles() },
    { comment: "last words", storage: "gzip-members", files: lastFiles() },
  ];
}

/** The `security.capability` value that lets a program open raw sockets: version 2, effective, CAP_NET_RAW. */
export const netRawCapability: Uint8Array = Uint8Array.from([
  1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
]);

/** A name that is not UTF-8: `café` as Latin-1 has it. */
export const latin1Name: Uint8Array = Uint8Array.from([0x63, 0x61, 0x66, 0xe9]);

/** A name too long for the fields of a plain tar header. */
export const longName: string = `${"long-".repeat(40)}name`;

/** Bytes that neither compress well nor repeat; the same on every machine. */
export function patternBytes(sizeBytes: number): Uint8Array {
  const bytes = new Uint8Array(sizeBytes);
  let state = 0x9e3779b9;
  for (let i = 0; i < sizeBytes; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

function baseFiles(): LayerFile[] {
  return [
    directory("bin"),
    directory("etc"),
    file("etc/group", "root:x:0:\nbox:x:1000:\n"),
    file("etc/motd", "a later layer replaces this line\n"),
    file("etc/os-release", 'ID=box-sample\nNAME="Box sample"\nVERSION_ID=1\n'),
    file("etc/passwd", "root:x:0:0:root:/root:/bin/hello\nbox:x:1000:1000::/home/box:/bin/hello\n"),
    directory("home"),
    directory("home/box", { mode: 0o750, owner: 1000 }),
    directory("opt"),
    directory("opt/retired"),
    file("opt/retired/tool", "a later layer removes this folder\n", { mode: 0o755 }),
    directory("root", { mode: 0o700 }),
    directory("srv"),
    file("srv/data.bin", patternBytes(200_001), { nanoseconds: 123_456_789 }),
    directory("tmp", { mode: 0o1777 }),
    directory("usr"),
    directory("usr/bin"),
    directory("usr/share"),
    directory("usr/share/notes"),
    file("usr/share/notes/first.txt", "hidden by an opaque directory\n"),
    directory("usr/share/notes/old"),
    file("usr/share/notes/old/second.txt", "hidden by the same opaque directory\n"),
    directory("var"),
    directory("var/cache"),
    file("var/cache/stale.bin", patternBytes(70_000)),
  ];
}

function programFiles(architecture: Architecture): LayerFile[] {
  return [
    file("bin/hello", writeHello(architecture), { mode: 0o755, nanoseconds: 1 }),
    hardlink("bin/hi", "bin/hello"),
    file("etc/hello.conf", "greeting = hello\n", {
      xattrs: { "user.layer": new TextEncoder().encode("two") },
    }),
    file("usr/bin/as-root", "runs as root, whoever starts it\n", { mode: 0o4755 }),
    symlink("usr/bin/hello", "../../bin/hello"),
    file("usr/bin/raw-socket", "may open raw sockets\n", {
      mode: 0o755,
      xattrs: { "security.capability": netRawCapability },
    }),
  ];
}

function changedFiles(): LayerFile[] {
  return [
    file("etc/motd", "this box was made from a sample image\n", { nanoseconds: 999_999_999 }),
    whiteout("opt", "retired"),
    hardlink("srv/data-again.bin", "srv/data.bin"),
    directory("usr/share/notes"),
    opaque("usr/share/notes"),
    file("usr/share/notes/third.txt", "the opaque directory keeps only what comes with it\n"),
    whiteout("var/cache", "stale.bin"),
  ];
}

function lastFiles(): LayerFile[] {
  const prefix = new TextEncoder().encode("usr/share/notes/");
  return [
    file(Uint8Array.from([...prefix, ...latin1Name]), "a name that is not UTF-8\n"),
    file(`usr/share/notes/${longName}`, "a name of 204 bytes\n"),
    file("var/cache/fresh.txt", "made again after the whiteout\n", { owner: 1000 }),
  ];
}
