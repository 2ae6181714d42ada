import { readFileSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { qemuImg, qemuIo } from "./qemu.ts";

/** An image that QEMU makes. */
export interface MatrixImage {
  /** What is special about it. */
  readonly name: string;
  /** Makes it as `i.qcow2` in a folder. */
  make(folder: string): void;
  /** How QEMU is told to open it; `-f qcow2 i.qcow2` unless given. */
  readonly openArguments?: readonly string[];
}

const writes = [
  "write -q -P 1 0 300k",
  "write -q -P 2 5M 64k",
  "write -q -z 1M 128k",
  "write -q -P 3 3M 512",
  "discard -q 64k 64k",
  "write -q -z -u 5M 4k",
];
const secret = ["--object", "secret,id=s,data=pass"];
const luksOptions = (name: string): string =>
  `driver=qcow2,file.filename=${name},encrypt.key-secret=s`;
const overlayOnLuks =
  "driver=qcow2,file.filename=i.qcow2,backing.driver=qcow2,backing.file.filename=base.qcow2,backing.encrypt.key-secret=s";
const compressed = "write -q -c -P 4 6M 256k";
const scattered = Array.from({ length: 40 }, (_, i) => `write -q -P 5 ${(i * 37) % 61}M 8k`);

/** Images of every feature, sound and leaking, alone and in chains. */
export const imageMatrix: readonly MatrixImage[] = [
  withOptions("compat=0.10", [...writes, compressed]),
  withOptions("compat=1.1", [...writes, compressed]),
  withOptions("cluster_size=512", [...writes, "write -q -c -P 4 6M 64k"]),
  withOptions("cluster_size=4k,refcount_bits=1", [...writes, compressed]),
  withOptions("cluster_size=2M", writes),
  withOptions("refcount_bits=1"),
  withOptions("refcount_bits=2,cluster_size=4k", [...writes, compressed]),
  withOptions("refcount_bits=4", [...writes, compressed]),
  withOptions("refcount_bits=8", [...writes, compressed]),
  withOptions("refcount_bits=32", [...writes, compressed]),
  withOptions("refcount_bits=64,cluster_size=1k", [...writes, compressed]),
  withOptions("lazy_refcounts=on"),
  withOptions("compression_type=zstd", [...writes, compressed]),
  withOptions("extended_l2=on"),
  withOptions("extended_l2=on,cluster_size=16k", [...writes, compressed]),
  withOptions("preallocation=metadata"),
  withOptions("preallocation=falloc,cluster_size=32k"),
  withOptions("preallocation=full,cluster_size=4k"),
  withOptions("data_file=d.raw"),
  withOptions("data_file=d.raw,data_file_raw=on"),
  withOptions("data_file=d.raw,extended_l2=on,preallocation=metadata", []),
  { name: "many L2 tables", make: makeScattered },
  { name: "an odd size", make: (folder) => makeOdd(folder) },
  { name: "an empty disk", make: (folder) => create(folder, [], "i.qcow2", "0") },
  { name: "snapshots", make: (folder) => makeSnapshots(folder, "compat=1.1") },
  {
    name: "snapshots, 2-bit refcounts",
    make: (folder) => makeSnapshots(folder, "refcount_bits=2"),
  },
  { name: "bitmaps", make: makeBitmaps },
  {
    name: "LUKS",
    make: (folder) => makeLuks(folder, "i.qcow2"),
    openArguments: [...secret, "--image-opts", luksOptions("i.qcow2")],
  },
  {
    name: "an overlay on LUKS",
    make: makeOverlayOnLuks,
    openArguments: [...secret, "--image-opts", overlayOnLuks],
  },
  {
    name: "LUKS with subclusters behind the end of a shorter backing file",
    make: makeLuksOnShorter,
    openArguments: [...secret, "--image-opts", luksOptions("i.qcow2")],
  },
  { name: "leaks", make: (folder) => makeLeaks(folder, "compat=1.1") },
  { name: "leaks, version 2", make: (folder) => makeLeaks(folder, "compat=0.10") },
  {
    name: "leaks, 8-bit refcounts",
    make: (folder) => makeLeaks(folder, "refcount_bits=8,cluster_size=4k"),
  },
  { name: "an overlay on raw", make: (folder) => makeOverlay(folder, "raw", "8M") },
  { name: "an overlay on a raw file that ends inside a sector", make: makeOverlayOnOddRaw },
  { name: "an overlay on qcow2", make: (folder) => makeOverlay(folder, "qcow2", "8M") },
  { name: "a shorter backing file", make: (folder) => makeOverlay(folder, "qcow2", "3M") },
  {
    name: "an overlay with subclusters",
    make: (folder) => makeOverlay(folder, "qcow2", "8M", "extended_l2=on"),
  },
  {
    name: "subclusters behind the end of a shorter backing file",
    make: (folder) => makeOverlay(folder, "raw", "3080k", "extended_l2=on"),
  },
  { name: "a chain of three", make: makeChain },
];

function withOptions(options: string, commands: readonly string[] = writes): MatrixImage {
  return {
    name: options,
    make(folder) {
      create(folder, ["-o", options], "i.qcow2", "8M");
      if (commands.length > 0) qemuIo(folder, "i.qcow2", ...commands);
    },
  };
}

function create(folder: string, options: readonly string[], ...rest: readonly string[]): void {
  qemuImg(folder, "create", "-q", "-f", "qcow2", ...options, ...rest);
}

function makeScattered(folder: string): void {
  create(folder, ["-o", "cluster_size=4k"], "i.qcow2", "64M");
  qemuIo(folder, "i.qcow2", ...scattered);
}

function makeOdd(folder: string): void {
  create(folder, [], "i.qcow2", "7340544");
  qemuIo(folder, "i.qcow2", "write -q -P 1 7M 512", "write -q -P 2 100k 1M");
}

function makeSnapshots(folder: string, options: string): void {
  create(folder, ["-o", options], "i.qcow2", "8M");
  qemuIo(folder, "i.qcow2", ...writes);
  qemuImg(folder, "snapshot", "-c", "one", "i.qcow2");
  qemuIo(folder, "i.qcow2", "write -q -P 9 0 64k", "write -q -c -P 7 7M 64k");
  qemuImg(folder, "snapshot", "-c", "two", "i.qcow2");
  qemuIo(folder, "i.qcow2", "write -q -P 8 128k 64k");
}

function makeBitmaps(folder: string): void {
  create(folder, ["-o", "cluster_size=4k"], "i.qcow2", "8M");
  qemuImg(folder, "bitmap", "--add", "-g", "512", "i.qcow2", "b0");
  qemuImg(folder, "bitmap", "--add", "-g", "64k", "i.qcow2", "b1");
  qemuIo(folder, "i.qcow2", ...writes);
  qemuImg(folder, "bitmap", "--disable", "i.qcow2", "b1");
}

function makeLuks(folder: string, name: string, ...more: readonly string[]): void {
  const options = "encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10";
  // qemu-img times its key derivation and gives up when the clock is too coarse for a short run.
  for (let attempt = 1; ; attempt++) {
    try {
      create(folder, [...secret, "-o", options, ...more], name, "8M");
      break;
    } catch (error) {
      if (attempt === 10) throw error;
    }
  }
  qemuIo(folder, luksOptions(name), ...secret, "--image-opts", ...writes);
}

function makeLuksOnShorter(folder: string): void {
  qemuImg(folder, "create", "-q", "-f", "raw", "base.raw", "3080k");
  qemuIo(folder, "base.raw", "-f", "raw", "write -q -P 3 0 1M");
  makeLuks(folder, "i.qcow2", "-o", "extended_l2=on", "-b", "base.raw", "-F", "raw");
}

function makeOverlayOnLuks(folder: string): void {
  makeLuks(folder, "base.qcow2");
  create(folder, ["-u", "-b", "base.qcow2", "-F", "qcow2"], "i.qcow2", "9M");
  const commands = ["write -q -P 8 100k 10k", "write -q -z 4M 64k"];
  qemuIo(folder, overlayOnLuks, ...secret, "--image-opts", ...commands);
}

/** Entries of an L2 table are lost, as when a writer's last writes are: their clusters stay counted. */
function makeLeaks(folder: string, options: string): void {
  create(folder, ["-o", options], "i.qcow2", "8M");
  qemuIo(folder, "i.qcow2", ...writes, "write -q -P 6 2M 256k");
  const image = readFileSync(join(folder, "i.qcow2"));
  const l1 = Number(image.readBigUInt64BE(40));
  const l2 = Number(image.readBigUInt64BE(l1) & 0x00ff_ffff_ffff_fe00n);
  qemuIo(folder, "i.qcow2", "-f", "raw", `write -q -P 0 ${l2 + 32 * 8} 32`);
}

function makeOverlay(folder: string, format: string, size: string, options = "compat=1.1"): void {
  const base = `base.${format}`;
  qemuImg(folder, "create", "-q", "-f", format, base, size);
  qemuIo(folder, base, "-f", format, "write -q -P 3 0 1M", "write -q -P 3 2M 512k");
  create(folder, ["-o", options, "-b", base, "-F", format], "i.qcow2", "8M");
  qemuIo(folder, "i.qcow2", ...writes);
}

function makeOverlayOnOddRaw(folder: string): void {
  makeOverlay(folder, "raw", "8M");
  qemuIo(folder, "base.raw", "-f", "raw", "write -q -P 4 4M 1100k");
  truncateSync(join(folder, "base.raw"), 5 * 2 ** 20 + 100);
}

function makeChain(folder: string): void {
  create(folder, [], "a.qcow2", "8M");
  qemuIo(folder, "a.qcow2", "write -q -P 1 0 2M");
  create(folder, ["-b", "a.qcow2", "-F", "qcow2", "-o", "cluster_size=4k"], "b.qcow2", "6M");
  qemuIo(folder, "b.qcow2", "write -q -P 2 1M 64k", "write -q -z 1536k 64k");
  create(folder, ["-b", "b.qcow2", "-F", "qcow2"], "i.qcow2", "8M");
  qemuIo(folder, "i.qcow2", ...writes);
}
