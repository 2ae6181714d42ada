import { MemoryFile, observeFile, type RandomAccess } from "@box/io";
import {
  type ConvertImageOptions,
  checkStructure,
  convertImage,
  createImage,
  inspectImage,
  openImage,
  portableCodec,
} from "@box/qcow2";
import { nodeCodec } from "@box/qcow2/node";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { nativeCompare } from "../../src/bytes/native-compare.ts";
import { isAllZeros } from "../../src/convert/zero-blocks.ts";

/** Text, random-looking bytes and zeros in ranges that no cluster size divides. */
function mixedDisk(size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  let state = 7;
  for (let at = 0; at < size; at++) {
    const kind = Math.floor(at / 77_777) % 3;
    state = (state * 1103515245 + 12345) % 2 ** 31;
    if (kind === 0) bytes[at] = 97 + (at % 23);
    if (kind === 1) bytes[at] = state >> 16;
  }
  return bytes;
}

const targets: Readonly<Record<string, ConvertImageOptions>> = {
  raw: { format: "raw" },
  "qcow2 with the defaults": { format: "qcow2" },
  "version 2": { format: "qcow2", version: 2 },
  "clusters of 512 and refcounts of 64 bits": {
    format: "qcow2",
    clusterSizeBytes: 512,
    refcountBits: 64,
  },
  "clusters of 2 MiB and refcounts of 1 bit": {
    format: "qcow2",
    clusterSizeBytes: 2 ** 21,
    refcountBits: 1,
  },
  "extended L2 entries": { format: "qcow2", hasExtendedL2: true },
  "zlib clusters": { format: "qcow2", compressed: "zlib" },
  "zlib clusters of 512": { format: "qcow2", compressed: "zlib", clusterSizeBytes: 512 },
  "zstd clusters of 4 KiB and refcounts of 1 bit": {
    format: "qcow2",
    compressed: "zstd",
    clusterSizeBytes: 4096,
    refcountBits: 1,
  },
  "zstd clusters of 16 KiB and refcounts of 2 bits": {
    format: "qcow2",
    compressed: "zstd",
    clusterSizeBytes: 16384,
    refcountBits: 2,
    hasExtendedL2: true,
  },
};

async function requireHolds(file: MemoryFile, options: ConvertImageOptions, disk: Uint8Array) {
  if (options.format === "raw") {
    expect(Buffer.compare(file.toBytes(), disk)).toBe(0);
    return;
  }
  expect(await checkStructure(file)).toMatchObject({ leaks: 0 });
  const image = await openImage(file, { codec: nodeCodec });
  expect(Buffer.compare(await image.read(0, disk.byteLength), disk)).toBe(0);
}

describe("convertImage from and to files of anybody's", () => {
  it.each(["raw", "qcow2"] as const)(
    "copies to %s what a source reads that knows nothing of `into`",
    async (format) => {
      const disk = mixedDisk(300_000);
      const plain: RandomAccess = {
        size: async () => disk.byteLength,
        read: async (offset, length) => disk.slice(offset, offset + length),
      };
      const target = new MemoryFile();
      await convertImage(plain, target, { format });
      const bytes = target.toBytes();
      const copy: RandomAccess = {
        size: async () => bytes.byteLength,
        read: async (offset, length) => bytes.slice(offset, offset + length),
      };
      const found =
        format === "raw" ? bytes : await (await openImage(copy)).read(0, disk.byteLength);
      expect(Buffer.compare(found, disk)).toBe(0);
    },
  );

  it("gives an image whole sectors, of which QEMU reads the last one too", async () => {
    const target = new MemoryFile();
    await convertImage(new MemoryFile(new Uint8Array(100_001).fill(7)), target, {
      format: "qcow2",
    });
    const image = await openImage(target);
    expect(image.sizeBytes).toBe(100_352);
    const end = await image.read(100_000, 352);
    expect([...end]).toEqual([7, ...Array(351).fill(0)]);
  });
});

describe("convertImage", () => {
  const disk = mixedDisk(5 * 2 ** 20 + 1234);
  // An image has whole sectors.
  const padded = new Uint8Array(5 * 2 ** 20 + 3 * 512);
  padded.set(disk);

  it.for(Object.keys(targets))("to %s and back gives the same disk", async (name) => {
    const options = { codec: nodeCodec, ...(targets[name] as ConvertImageOptions) };
    const [first, second, third] = [new MemoryFile(), new MemoryFile(), new MemoryFile()];
    await convertImage(new MemoryFile(disk), first, options);
    await requireHolds(first, options, disk);
    const source = options.format === "raw" ? first : await openImage(first, { codec: nodeCodec });
    await convertImage(source, second, { format: "qcow2" });
    await requireHolds(second, { format: "qcow2" }, disk);
    await convertImage(await openImage(second), third, { format: "raw" });
    await requireHolds(third, { format: "raw" }, padded);
  });

  it("of a disk of no bytes gives one of no bytes", async () => {
    const file = new MemoryFile();
    await convertImage(new MemoryFile(), file, { format: "qcow2" });
    await requireHolds(file, { format: "qcow2" }, new Uint8Array(0));
  });

  it("stores no zeros: neither what is unallocated nor what only holds zeros", async () => {
    const source = new MemoryFile();
    await createImage(source, { virtualSizeBytes: 2 ** 40 });
    const image = await openImage(source, { mode: "rw" });
    await image.write(2 ** 39, new Uint8Array(2 ** 20));
    await image.write(2 ** 38, Uint8Array.of(1));
    const file = new MemoryFile();
    await convertImage(image, file, { format: "qcow2" });
    expect(await file.size()).toBeLessThan(7 * 65536);
    expect((await inspectImage(file)).virtualSizeBytes).toBe(2n ** 40n);
    const again = await openImage(file);
    expect(await again.read(2 ** 38, 2)).toEqual(Uint8Array.of(1, 0));
  });

  it("never truncates its target to nothing, which makes ext4 write all of it when it is closed", async () => {
    const sizes: number[] = [];
    const target = observeFile(new MemoryFile(), ({ kind, length }) => {
      if (kind === "truncate") sizes.push(length);
    });
    await convertImage(new MemoryFile(mixedDisk(200_000)), target, { format: "qcow2" });
    expect(sizes).not.toContain(0);
  });

  it("tells its progress, with the whole disk as the last word", async () => {
    const seen: number[] = [];
    const onProgress = (progress: { doneBytes: number; totalBytes: number }): void => {
      expect(progress.totalBytes).toBe(disk.byteLength);
      seen.push(progress.doneBytes);
    };
    await convertImage(new MemoryFile(disk), new MemoryFile(), { format: "qcow2", onProgress });
    expect(seen.length).toBeGreaterThan(2);
    expect(seen.at(-1)).toBe(disk.byteLength);
  });

  it("reads no more once it is aborted", async () => {
    const abort = new AbortController();
    const reads: number[] = [];
    const source = {
      size: async () => 2 ** 30,
      async read(offset: number, length: number) {
        reads.push(offset);
        if (reads.length === 2) abort.abort();
        return new Uint8Array(length).fill(7);
      },
    };
    const target = {
      size: async () => 0,
      read: async () => new Uint8Array(0),
      write: async () => {},
    };
    const { signal } = abort;
    const converting = convertImage(source, target, { format: "raw", signal });
    await expect(converting).rejects.toMatchObject({ code: "QCOW2_ABORTED" });
    expect(Math.max(...reads)).toBeLessThan(2 ** 25);
  });

  it("tells progress that never goes back, whatever is written first", async () => {
    const target = new MemoryFile();
    let turn = 0;
    const slow = {
      size: () => target.size(),
      read: (offset: number, length: number) => target.read(offset, length),
      truncate: (size: number) => target.truncate(size),
      async write(offset: number, bytes: Uint8Array) {
        await new Promise((resolve) => setTimeout(resolve, turn++ % 4 === 0 ? 20 : 0));
        await target.write(offset, bytes);
      },
    };
    const told: number[] = [];
    const onProgress = ({ doneBytes }: { doneBytes: number }) => told.push(doneBytes);
    const disk = new MemoryFile(new Uint8Array(32 * 2 ** 20).fill(7));
    await convertImage(disk, slow, { format: "raw", onProgress });
    expect(told.length).toBeGreaterThan(10);
    expect(told).toEqual(told.toSorted((a, b) => a - b));
  });

  it("leaves a file without the magic when it is aborted or a call fails", async () => {
    const abort = new AbortController();
    const file = new MemoryFile();
    const stopped = convertImage(new MemoryFile(disk), file, {
      format: "qcow2",
      signal: abort.signal,
      onProgress: () => abort.abort(),
    });
    await expect(stopped).rejects.toMatchObject({ code: "QCOW2_ABORTED" });
    await expect(inspectImage(file)).rejects.toMatchObject({ code: "QCOW2_BAD_MAGIC" });
    for (let failing = 1; ; failing++) {
      const target = new MemoryFile();
      let failed = false;
      const fail = ({ index }: { index: number }): void => {
        failed ||= index === failing;
        if (index === failing) throw new Error("EIO: i/o error");
      };
      const source = new MemoryFile(disk);
      const isRead = failing % 2 === 0;
      const run = convertImage(
        isRead ? observeFile(source, fail) : source,
        isRead ? target : observeFile(target, fail),
        { format: "qcow2", compressed: "zlib", codec: nodeCodec },
      );
      if (
        failed ||
        (await run.then(
          () => false,
          () => true,
        ))
      ) {
        await expect(run).rejects.toMatchObject({ kind: "io" });
        await expect(inspectImage(target)).rejects.toMatchObject({ kind: "corrupt" });
      } else if (failing > 40) break;
    }
  });

  it("refuses to compress with a codec that only reads, and a target that has bytes", async () => {
    const options = { format: "qcow2", compressed: "zlib", codec: portableCodec } as const;
    const source = new MemoryFile(disk);
    await expect(convertImage(source, new MemoryFile(), options)).rejects.toMatchObject({
      code: "QCOW2_UNSUPPORTED_COMPRESSION",
    });
    const full = new MemoryFile(Uint8Array.of(1));
    await expect(convertImage(source, full, { format: "raw" })).rejects.toMatchObject({
      code: "QCOW2_TARGET_NOT_EMPTY",
    });
  });

  it("refuses what a codec compresses to nothing", async () => {
    const codec = { ...nodeCodec, compress: async () => new Uint8Array(0) };
    const options = { format: "qcow2", compressed: "zlib", codec } as const;
    const run = convertImage(new MemoryFile(disk), new MemoryFile(), options);
    await expect(run).rejects.toMatchObject({ code: "QCOW2_INVALID_ARGUMENT" });
  });

  it("takes a source that leaves out bytes for a failure of the storage", async () => {
    const short = {
      size: async () => 8192,
      read: async (offset: number) => new Uint8Array(offset < 4096 ? 5 : 0),
    };
    const converted = convertImage(short, new MemoryFile(), { format: "raw" });
    await expect(converted).rejects.toMatchObject({ code: "QCOW2_SHORT_READ" });
  });
});

describe("isAllZeros", () => {
  it("finds any byte that is not zero, wherever it is", () => {
    fc.assert(
      fc.property(fc.nat(300), fc.nat(8), fc.nat(299), (length, shift, at) => {
        for (const compare of [nativeCompare, null]) {
          const bytes = new Uint8Array(length + shift).subarray(shift);
          expect(isAllZeros(bytes, compare)).toBe(true);
          if (at >= length) return;
          bytes[at] = 1;
          expect(isAllZeros(bytes, compare)).toBe(false);
        }
      }),
    );
  });
});
