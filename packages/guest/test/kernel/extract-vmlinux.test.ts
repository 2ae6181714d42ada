import { gzipSync, zstdCompressSync } from "node:zlib";
import { extractVmlinux } from "@box/guest/boot";
import { describe, expect, test } from "vitest";
import { parseBootHeader } from "../../src/kernel/boot-header.ts";
import { sampleBzImage, sampleElf } from "./sample-kernel.ts";

const elf = sampleElf();

/** LZ4's legacy format without compressing. */
function lz4Stored(bytes: Buffer): Buffer {
  const literals = Buffer.concat([Buffer.from([0xf0, bytes.length - 15]), bytes]);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(literals.length);
  return Buffer.concat([Buffer.from("02214c18", "hex"), length, literals]);
}

test.each([
  ["gzip", gzipSync(elf)],
  ["zstd", zstdCompressSync(elf)],
  ["LZ4", lz4Stored(elf)],
])("a kernel packed with %s comes out", (_, payload) => {
  const vmlinux = extractVmlinux(sampleBzImage(payload, elf.length));
  expect(Buffer.from(vmlinux ?? []).equals(elf)).toBe(true);
});

describe("an image is booted as it is", () => {
  test.each([
    ["that is no bzImage", Buffer.alloc(4096)],
    ["that is shorter than a boot header", Buffer.alloc(100)],
    ["that is packed with xz", sampleBzImage(Buffer.from("fd377a585a0000", "hex"), 100)],
    [
      "without the entry for QEMU",
      sampleBzImage(gzipSync(sampleElf({ hasPvh: false })), elf.length),
    ],
  ])("%s", (_, image) => {
    expect(extractVmlinux(image)).toBeUndefined();
  });

  test("of a boot protocol that has no payload", () => {
    const image = sampleBzImage(gzipSync(elf), elf.length);
    image.writeUInt16LE(0x207, 0x206);
    expect(extractVmlinux(image)).toBeUndefined();
  });
});

describe("a damaged image is refused as corrupt", () => {
  const cutNotes = Buffer.from(elf);
  cutNotes.writeBigUInt64LE(1000n, 96);
  const cutHeaders = sampleElf({ hasPvh: false });
  cutHeaders.writeUInt16LE(9, 56);
  test.each([
    ["whose payload is cut", sampleBzImage(gzipSync(elf), elf.length).subarray(0, -1)],
    ["whose payload is damaged", sampleBzImage(Buffer.from("1f8b080000", "hex"), 10)],
    ["that holds less than it says", sampleBzImage(gzipSync(elf), elf.length + 1)],
    ["that holds more than it says", sampleBzImage(gzipSync(elf), elf.length - 1)],
    ["of 4 GiB unpacked", sampleBzImage(gzipSync(elf), 0xffffffff)],
    ["of nothing unpacked", sampleBzImage(gzipSync(elf), 0)],
    ["that holds no ELF file", sampleBzImage(gzipSync(Buffer.alloc(200)), 200)],
    ["whose notes are cut", sampleBzImage(gzipSync(cutNotes), cutNotes.length)],
    ["whose program headers are cut", sampleBzImage(gzipSync(cutHeaders), cutHeaders.length)],
  ])("%s", (_, image) => {
    expect(() => extractVmlinux(image)).toThrow(
      expect.objectContaining({ code: "GUEST_KERNEL_INVALID", kind: "corrupt" }),
    );
  });
});

test("a header that names no sectors means four", () => {
  const image = sampleBzImage(gzipSync(elf), elf.length);
  image.writeUInt8(0, 0x1f1);
  const longer = Buffer.concat([image.subarray(0, 1024), Buffer.alloc(1536), image.subarray(1024)]);
  expect(parseBootHeader(longer)?.offset).toBe(5 * 512 + 16);
});
