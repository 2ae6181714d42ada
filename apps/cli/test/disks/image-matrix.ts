import { readFileSync, renameSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { qemuImg, qemuIo } from "../support/qemu.ts";

/** A disk that QEMU makes. */
export interface MatrixDisk {
  /** What is special about it. */
  readonly name: string;
  /** Its format; qcow2 unless given. */
  readonly format?: "raw";
  /** Makes it as `d.img`, and what it stands on beside it. */
  make(folder: string): void;
}

const writes = [
  "write -q -P 1 0 300k",
  "write -q -P 2 5M 64k",
  "write -q -z 1M 128k",
  "write -q -P 3 3M 512",
  "discard -q 64k 64k",
];
const compressed = "write -q -c -P 4 6M 256k";

/** Disks of every feature, alone and in chains, sparse as QEMU leaves them. */
export const diskMatrix: readonly MatrixDisk[] = [
  made("version 2", "compat=0.10", [...writes, compressed]),
  made("version 3", "compat=1.1", [...writes, compressed]),
  made("small clusters", "cluster_size=512", writes),
  made("large clusters", "cluster_size=2M", writes),
  made("narrow refcounts", "refcount_bits=1", [...writes, compressed]),
  made("zstd", "compression_type=zstd", [...writes, compressed]),
  made("lazy refcounts", "lazy_refcounts=on", writes),
  made("extended L2", "extended_l2=on,cluster_size=32k", [...writes, compressed]),
  made("preallocated metadata", "preallocation=metadata", writes),
  made("preallocated metadata, untouched", "preallocation=metadata", []),
  made("preallocated in full", "preallocation=full", writes),
  made("a data file", "data_file=d.raw", writes),
  made("a raw data file", "data_file=d.raw,data_file_raw=on", writes),
  { name: "snapshots", make: makeSnapshots },
  { name: "bitmaps", make: makeBitmaps },
  { name: "leaks", make: makeLeaks },
  { name: "an overlay on a sparse raw disk", make: (folder) => makeOverlay(folder, "raw", "8M") },
  { name: "an overlay on a short raw disk", make: (folder) => makeOverlay(folder, "raw", "2M") },
  { name: "an overlay on qcow2", make: (folder) => makeOverlay(folder, "qcow2", "8M") },
  { name: "a chain of three", make: makeChain },
  { name: "a raw disk", format: "raw", make: (folder) => makeRaw(folder, "d.img", "8M") },
  { name: "a raw disk of odd length", format: "raw", make: makeOddRaw },
  { name: "a raw disk without data", format: "raw", make: (folder) => makeEmpty(folder) },
];

function made(name: string, options: string, commands: readonly string[]): MatrixDisk {
  return {
    name,
    make(folder) {
      create(folder, "-o", options, "d.img", "8M");
      if (commands.length > 0) qemuIo(folder, "d.img", ...commands);
    },
  };
}

function create(folder: string, ...rest: readonly string[]): void {
  qemuImg(folder, "create", "-q", "-f", "qcow2", ...rest);
}

function makeSnapshots(folder: string): void {
  create(folder, "d.img", "8M");
  qemuIo(folder, "d.img", ...writes);
  qemuImg(folder, "snapshot", "-c", "one", "d.img");
  qemuIo(folder, "d.img", "write -q -P 9 0 64k");
  qemuImg(folder, "snapshot", "-c", "two words", "d.img");
}

function makeBitmaps(folder: string): void {
  create(folder, "d.img", "8M");
  qemuImg(folder, "bitmap", "--add", "-g", "512", "d.img", "b0");
  qemuImg(folder, "bitmap", "--add", "-g", "64k", "d.img", "b1");
  qemuIo(folder, "d.img", ...writes);
  qemuImg(folder, "bitmap", "--disable", "d.img", "b1");
}

/** Entries of an L2 table are lost, as when a writer's last writes are: their clusters stay counted. */
function makeLeaks(folder: string): void {
  create(folder, "d.img", "8M");
  qemuIo(folder, "d.img", ...writes, "write -q -P 6 2M 256k");
  const image = readFileSync(join(folder, "d.img"));
  const l1 = Number(image.readBigUInt64BE(40));
  const l2 = Number(image.readBigUInt64BE(l1) & 0x00ff_ffff_ffff_fe00n);
  image.fill(0, l2 + 32 * 8, l2 + 36 * 8);
  writeFileSync(join(folder, "d.img"), image);
}

function makeOverlay(folder: string, format: "raw" | "qcow2", size: string): void {
  const base = `base.${format}`;
  qemuImg(folder, "create", "-q", "-f", format, base, size);
  qemuIo(folder, base, "write -q -P 3 4k 100k", "write -q -P 3 1M 512k");
  create(folder, "-b", base, "-F", format, "d.img", "8M");
  qemuIo(folder, "d.img", ...writes);
}

function makeChain(folder: string): void {
  makeRaw(folder, "a.raw", "6M");
  create(folder, "-b", "a.raw", "-F", "raw", "-o", "cluster_size=4k", "b.qcow2", "6M");
  qemuIo(folder, "b.qcow2", "write -q -P 2 1M 64k", "write -q -z 1536k 64k");
  create(folder, "-b", join(folder, "b.qcow2"), "-F", "qcow2", "d.img", "8M");
  qemuIo(folder, "d.img", ...writes);
}

function makeRaw(folder: string, name: string, size: string): void {
  qemuImg(folder, "create", "-q", "-f", "raw", "new.raw", size);
  qemuIo(
    folder,
    "new.raw",
    "write -q -P 7 20k 8k",
    "write -q -P 8 1M 300k",
    "write -q -P 9 2800k 512",
  );
  renameSync(join(folder, "new.raw"), join(folder, name));
}

function makeEmpty(folder: string): void {
  qemuImg(folder, "create", "-q", "-f", "raw", "d.img", "3M");
}

function makeOddRaw(folder: string): void {
  makeRaw(folder, "d.img", "3M");
  truncateSync(join(folder, "d.img"), 3_000_001);
}
