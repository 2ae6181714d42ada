import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { BlobFile } from "@box/io";
import { openImage, type Qcow2Image, toQemuInfo } from "@box/qcow2";
import { openImageFile, withinDirectory } from "@box/qcow2/node";
import { describe, expect, it } from "vitest";
import { hasQemuImg, qemuImg, qemuIo, temporaryFolder } from "../support/qemu.ts";

const size = 12 * 2 ** 20;
const writes = [
  "write -P 1 0 300k",
  "write -P 2 5M 64k",
  "write -z 1M 128k",
  "write -P 3 3M 512",
  "write -P 7 3146240 1024",
  "write -z 20k 7k",
  "write -P 5 12582400 512",
];

/** Compares every byte with what qemu-img converts to raw, in reads of several sizes. */
async function requireSameContent(
  folder: string,
  name: string,
  image: Qcow2Image,
  reads = 300,
): Promise<void> {
  qemuImg(folder, "convert", "-f", "qcow2", "-O", "raw", name, "expected.raw");
  const expected = readFileSync(join(folder, "expected.raw"));
  expect(image.sizeBytes).toBe(expected.byteLength);
  const whole = await image.read(0, image.sizeBytes);
  expect(Buffer.compare(whole, expected)).toBe(0);
  for (let index = 0; index < reads; index++) {
    const offset = (index * 1_299_709) % expected.byteLength;
    const length = [1, 511, 4096, 70_000][index % 4] ?? 1;
    const found = await image.read(offset, length);
    expect(Buffer.compare(found, expected.subarray(offset, offset + length))).toBe(0);
  }
}

const layouts = [
  "compat=0.10",
  "compat=1.1",
  "cluster_size=512",
  "cluster_size=4k",
  "cluster_size=2M",
  "refcount_bits=1",
  "refcount_bits=64,cluster_size=1k",
  "extended_l2=on",
  "extended_l2=on,cluster_size=16k",
  "preallocation=metadata",
  "preallocation=falloc",
  "compression_type=zstd",
  "data_file=d.raw",
  "data_file=d.raw,data_file_raw=on",
];

describe.skipIf(!hasQemuImg)("reading what QEMU wrote", { timeout: 60_000 }, () => {
  it.for(layouts)("an image with %s has the same content", async (options) => {
    using folder = temporaryFolder();
    qemuImg(folder.path, "create", "-q", "-f", "qcow2", "-o", options, "i.qcow2", String(size));
    qemuIo(folder.path, "i.qcow2", ...writes);
    const canCompress = !/data_file|preallocation|2M/.test(options);
    if (canCompress) qemuIo(folder.path, "i.qcow2", "write -c -P 4 6M 128k");
    const dataFile = withinDirectory(folder.path);
    await using image = await openImageFile(join(folder.path, "i.qcow2"), { dataFile });
    await requireSameContent(folder.path, "i.qcow2", image);
  });

  it.for(layouts)("an overlay on one with %s has the same content", async (options) => {
    using folder = temporaryFolder();
    qemuImg(folder.path, "create", "-q", "-f", "raw", "base.raw", String(size / 2));
    qemuIo(folder.path, "base.raw", "write -P 9 0 6M");
    const backed = /data_file_raw|preallocation/.test(options)
      ? []
      : ["-b", "base.raw", "-F", "raw"];
    const middle = ["-f", "qcow2", "-o", options, ...backed, "m.qcow2", String(size - 512)];
    qemuImg(folder.path, "create", "-q", ...middle);
    qemuIo(folder.path, "m.qcow2", ...writes.slice(0, -1));
    const top = ["-f", "qcow2", "-b", "m.qcow2", "-F", "qcow2", "t.qcow2", String(size + 1536)];
    qemuImg(folder.path, "create", "-q", ...top);
    qemuIo(folder.path, "t.qcow2", "write -P 11 100k 10k", "write -z 8M 64k");
    const within = withinDirectory(folder.path);
    await using image = await openImageFile(join(folder.path, "t.qcow2"), {
      backing: within,
      dataFile: within,
    });
    await requireSameContent(folder.path, "t.qcow2", image);
  });

  it.for(["zlib", "zstd"])(
    "an image compressed with %s has the same content in every codec",
    async (type) => {
      using folder = temporaryFolder();
      const content = new URL("../../src/", import.meta.url).pathname;
      const text = Buffer.concat([
        readFileSync(join(content, "errors.ts")),
        readFileSync(join(content, "chain/open-image.ts")),
        Buffer.alloc(100_000),
        readFileSync(process.execPath).subarray(0, 1_500_007),
      ]);
      writeFileSync(join(folder.path, "s.raw"), text);
      const options = ["-c", "-o", `compression_type=${type}`, "s.raw", "c.qcow2"];
      qemuImg(folder.path, "convert", "-f", "raw", "-O", "qcow2", ...options);
      await using native = await openImageFile(join(folder.path, "c.qcow2"));
      await requireSameContent(folder.path, "c.qcow2", native, 20);
      const blob = new Blob([readFileSync(join(folder.path, "c.qcow2"))]);
      await using portable = await openImage(new BlobFile(blob));
      await requireSameContent(folder.path, "c.qcow2", portable, 20);
    },
  );

  it("internal snapshots have the content of their time, also after a resize", async () => {
    using folder = temporaryFolder();
    qemuImg(folder.path, "create", "-q", "-f", "qcow2", "i.qcow2", "4M");
    qemuIo(folder.path, "i.qcow2", "write -P 1 0 1M");
    qemuImg(folder.path, "snapshot", "-c", "first", "i.qcow2");
    qemuIo(folder.path, "i.qcow2", "write -P 2 512k 1M");
    qemuImg(folder.path, "snapshot", "-c", "second", "i.qcow2");
    qemuImg(folder.path, "resize", "-f", "qcow2", "i.qcow2", "8M");
    qemuIo(folder.path, "i.qcow2", "write -P 3 0 6M");
    await using image = await openImageFile(join(folder.path, "i.qcow2"));
    for (const name of ["first", "second"]) {
      const snapshot = await image.openSnapshot(name);
      qemuImg(folder.path, "convert", "-l", name, "-O", "raw", "i.qcow2", `${name}.raw`);
      const expected = readFileSync(join(folder.path, `${name}.raw`));
      expect(snapshot.sizeBytes).toBe(4 * 2 ** 20);
      const found = await snapshot.read(0, snapshot.sizeBytes);
      expect(Buffer.compare(found, expected.subarray(0, snapshot.sizeBytes))).toBe(0);
    }
  });
});

describe.skipIf(!hasQemuImg)("toQemuInfo", { timeout: 60_000 }, () => {
  const images: Record<string, (folder: string) => void> = {
    "a version 2 image": (f) =>
      void qemuImg(f, "create", "-q", "-f", "qcow2", "-o", "compat=0.10", "i.qcow2", "1M"),
    "an image with lazy refcounts": (f) =>
      void qemuImg(
        f,
        "create",
        "-q",
        "-f",
        "qcow2",
        "-o",
        "lazy_refcounts=on,refcount_bits=8",
        "i.qcow2",
        "1M",
      ),
    "an overlay": (f) => {
      qemuImg(f, "create", "-q", "-f", "raw", "b.raw", "1M");
      qemuImg(f, "create", "-q", "-f", "qcow2", "-b", "b.raw", "-F", "raw", "i.qcow2");
    },
    "snapshots and bitmaps": (f) => {
      qemuImg(
        f,
        "create",
        "-q",
        "-f",
        "qcow2",
        "-o",
        "extended_l2=on,compression_type=zstd",
        "i.qcow2",
        "1M",
      );
      qemuImg(f, "snapshot", "-c", "one", "i.qcow2");
      qemuImg(f, "bitmap", "--add", "-g", "32k", "i.qcow2", "b0");
      qemuImg(f, "bitmap", "--add", "--disable", "i.qcow2", "b1");
    },
    "an external data file": (f) =>
      void qemuImg(
        f,
        "create",
        "-q",
        "-f",
        "qcow2",
        "-o",
        "data_file=d.raw,data_file_raw=on",
        "i.qcow2",
        "1M",
      ),
  };

  it.for(Object.keys(images))("of %s equals qemu-img info", async (name) => {
    using folder = temporaryFolder();
    images[name]?.(folder.path);
    const path = join(folder.path, "i.qcow2");
    const within = withinDirectory(folder.path);
    await using image = await openImageFile(path, { backing: within, dataFile: within });
    const expected = JSON.parse(qemuImg(folder.path, "info", "--output=json", "i.qcow2"));
    const found = toQemuInfo(await image.describe(), {
      filename: "i.qcow2",
      actualSizeBytes: statSync(path).blocks * 512,
    });
    expect(found).toEqual(expected);
  });
});
