import { truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openFile } from "@box/io/node";
import {
  type MeasureImageOptions,
  type MeasureOptions,
  measureDisk,
  measureImage,
  toQemuMeasure,
} from "@box/qcow2";
import { openImageFile, withinDirectory } from "@box/qcow2/node";
import { describe, expect, it } from "vitest";
import { fillHoles } from "../support/fill-holes.ts";
import { imageMatrix } from "../support/image-matrix.ts";
import { hasQemuImg, qemuImg, temporaryFolder } from "../support/qemu.ts";

const targets: readonly (readonly [string, MeasureOptions])[] = [
  ["", { format: "qcow2" }],
  ["compat=0.10", { format: "qcow2", version: 2 }],
  ["cluster_size=512", { format: "qcow2", clusterSizeBytes: 512 }],
  ["cluster_size=2M", { format: "qcow2", clusterSizeBytes: 2 ** 21 }],
  [
    "cluster_size=4k,refcount_bits=64",
    { format: "qcow2", clusterSizeBytes: 4096, refcountBits: 64 },
  ],
  ["refcount_bits=1", { format: "qcow2", refcountBits: 1 }],
  [
    "extended_l2=on,cluster_size=16k",
    { format: "qcow2", hasExtendedL2: true, clusterSizeBytes: 16384 },
  ],
  ["preallocation=metadata", { format: "qcow2", preallocation: "metadata" }],
  ["preallocation=full", { format: "qcow2", preallocation: "full" }],
  ["backing_file=b,backing_fmt=raw", { format: "qcow2", hasBackingFile: true }],
  ["raw", { format: "raw" }],
];
const sizes = [0, 1, 512, 1000, 65_536, 65_537, 10 * 2 ** 20 + 512, 2 ** 30, 7 * 2 ** 40 + 2 ** 33];

function qemuMeasure(folder: string, options: string, from: readonly string[]): unknown {
  const to =
    options === "raw" ? ["-O", "raw"] : ["-O", "qcow2", "-o", `${options || "lazy_refcounts=off"}`];
  return JSON.parse(qemuImg(folder, "measure", "--output=json", ...to, ...from));
}

describe.skipIf(!hasQemuImg)("measureDisk equals qemu-img measure --size", () => {
  it.for(targets)("with the options %s", ([options, ours]) => {
    using folder = temporaryFolder();
    for (const size of sizes) {
      // The tables of small clusters end before this.
      if (size > 2 ** 40 && /512|4k|16k|64/.test(options)) continue;
      const theirs = qemuMeasure(folder.path, options, ["--size", String(size)]);
      expect(toQemuMeasure(measureDisk(size, ours)), String(size)).toEqual(theirs);
    }
  });
});

describe.skipIf(!hasQemuImg)("measureImage equals qemu-img measure", () => {
  const plain = imageMatrix.filter(({ openArguments }) => openArguments === undefined);
  it.for(plain.map((image, index) => ({ ...image, index })))("$name", async ({ make, index }) => {
    using folder = temporaryFolder();
    make(folder.path);
    fillHoles(folder.path);
    const resolvers = {
      backing: withinDirectory(folder.path),
      dataFile: withinDirectory(folder.path),
    };
    await using image = await openImageFile(join(folder.path, "i.qcow2"), resolvers);
    const chosen = [
      targets[0],
      ...[0, 1, 2].map((step) => targets[(index * 3 + step) % targets.length]),
    ];
    for (const [options, ours] of chosen as typeof targets) {
      const theirs = qemuMeasure(folder.path, options, ["-f", "qcow2", "i.qcow2"]);
      expect(toQemuMeasure(await measureImage(image, ours)), options).toEqual(theirs);
    }
  });

  it("for bitmaps of every kind", async () => {
    using folder = temporaryFolder();
    qemuImg(folder.path, "create", "-q", "-f", "qcow2", "i.qcow2", "3G");
    for (const [name, granularity] of [
      ["a", "512"],
      ["b".repeat(300), "64k"],
      ["\u00e9", "2G"],
    ] as const) {
      qemuImg(folder.path, "bitmap", "--add", "-g", granularity, "i.qcow2", name);
    }
    await using image = await openImageFile(join(folder.path, "i.qcow2"));
    for (const [options, ours] of targets.filter(([text]) => !/16k|full|metadata/.test(text))) {
      const theirs = qemuMeasure(folder.path, options, ["-f", "qcow2", "i.qcow2"]);
      expect(toQemuMeasure(await measureImage(image, ours)), options).toEqual(theirs);
    }
  });

  it("for raw files, whose holes it finds by reading", async () => {
    using folder = temporaryFolder();
    const path = join(folder.path, "s.raw");
    writeFileSync(path, new Uint8Array(300_000).fill(7));
    truncateSync(path, 5_000_000);
    const check = async (options: Partial<MeasureImageOptions>) => {
      await using file = await openFile(path);
      for (const [text, ours] of targets) {
        const theirs = qemuMeasure(folder.path, text, ["-f", "raw", "s.raw"]);
        expect(toQemuMeasure(await measureImage(file, { ...ours, ...options })), text).toEqual(
          theirs,
        );
      }
    };
    await check({ readsZeros: true });
    fillHoles(folder.path);
    await check({});
  });
});
