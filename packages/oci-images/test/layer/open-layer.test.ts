import { constants, gzipSync, zstdCompressSync } from "node:zlib";
import { isBoxError } from "@box/errors";
import { type ImageLayer, type OpenLayerOptions, openLayer } from "@box/oci-images";
import {
  bytesSource,
  describe as describeContent,
  digestOf,
  MemoryTarget,
  mediaTypes,
  verifyContent,
} from "@box/oras";
import { drain } from "@box/test-support";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { expectCode } from "../expect-code.ts";
import { noise } from "../sample-image.ts";

const tar = Buffer.concat([noise(150_000), new Uint8Array(300_000), noise(50_000, 7)]);
const [a, b] = [tar.subarray(0, 200_001), tar.subarray(200_001)];

interface Stored {
  readonly target: MemoryTarget;
  readonly layer: ImageLayer;
}

async function stored(
  blob: Uint8Array,
  mediaType: string = mediaTypes.ociLayerGzip,
  content: Uint8Array = tar,
): Promise<Stored> {
  const target = new MemoryTarget();
  const descriptor = describeContent(mediaType, blob);
  await target.push(descriptor, bytesSource(blob));
  return { target, layer: { descriptor, diffId: digestOf(content) } };
}

/** A source that hands out small pieces, so that headers are cut everywhere. */
function inPieces(bytes: Uint8Array, size: number): MemoryTarget {
  const target = new MemoryTarget();
  target.fetch = async () =>
    (async function* () {
      for (let at = 0; at < bytes.byteLength; at += size) yield bytes.subarray(at, at + size);
    })();
  return target;
}

/** Unpacks with each way of hashing, in the end with that of the options. */
async function unpack(blob: Uint8Array, options?: OpenLayerOptions): Promise<Uint8Array> {
  const { target, layer } = await stored(blob);
  const quick = await drain(openLayer(target, layer, { hashesContentOnly: true })).catch(codeOf);
  const read = await drain(openLayer(target, layer, options)).catch((error: unknown) => {
    expect(codeOf(error)).toBe(quick);
    throw error;
  });
  expect(quick).toEqual(read);
  return read;
}

function codeOf(error: unknown): unknown {
  return isBoxError(error) ? error.code : error;
}

function zstd(bytes: Uint8Array, parameters: Record<number, number> = {}): Buffer {
  return zstdCompressSync(bytes, { params: parameters });
}

function skippable(size: number, nibble = 0): Buffer {
  const frame = Buffer.alloc(8 + size, 0xaa);
  frame.writeUInt32LE(0x184d2a50 + nibble, 0);
  frame.writeUInt32LE(size, 4);
  return frame;
}

const withChecksum = { [constants.ZSTD_c_checksumFlag]: 1 };
const withoutSize = { [constants.ZSTD_c_contentSizeFlag]: 0 };

describe("a layer is read when it is", () => {
  const blobs: Record<string, Uint8Array> = {
    "gzip of one member": gzipSync(tar),
    "gzip of many members": Buffer.concat([gzipSync(a), gzipSync(new Uint8Array(0)), gzipSync(b)]),
    "gzip with zeros after it": Buffer.concat([gzipSync(tar), new Uint8Array(1000)]),
    "zstd of one frame": zstd(tar),
    "zstd with a checksum": zstd(tar, withChecksum),
    "zstd without a content size": zstd(tar, withoutSize),
    "zstd of many frames": Buffer.concat([zstd(a, withChecksum), zstd(new Uint8Array(0)), zstd(b)]),
    "zstd between skippable frames": Buffer.concat([
      skippable(0, 15),
      skippable(100_000, 3),
      zstd(a),
      skippable(3, 1),
      zstd(b),
      skippable(70, 9),
    ]),
    "zstd with zeros after it": Buffer.concat([zstd(tar), new Uint8Array(1000)]),
    "zstd with two zeros after it": Buffer.concat([zstd(tar), new Uint8Array(2)]),
    "not compressed": tar,
  };
  test.each(Object.entries(blobs))("%s", async (_name, blob) => {
    expect(Buffer.compare(await unpack(blob), tar)).toBe(0);
  });

  test.each(Object.entries(blobs))("%s, in pieces of 1, 2, 3 and 7 bytes", async (_name, blob) => {
    const small = blob.byteLength > 300_000 ? [997] : [1, 2, 3, 7].map((n) => n * 131);
    for (const size of small) {
      const { layer } = await stored(blob);
      const pieces = inPieces(blob, size);
      for (const hashesContentOnly of [false, true]) {
        const read = await drain(openLayer(pieces, layer, { hashesContentOnly }));
        expect(Buffer.compare(read, tar)).toBe(0);
      }
    }
  });

  test.each([
    ["gzip", gzipSync],
    ["zstd", zstdCompressSync],
    ["none", (bytes: Uint8Array) => bytes],
  ] as const)(
    "%s, in chunks whose memory is given back at once: they are gone by the next one",
    async (name, compress) => {
      const large = noise(5 * 2 ** 20 + 3);
      const blob = new Uint8Array(compress(large));
      const { layer } = await stored(blob, mediaTypes.ociLayer, large);
      const own = new MemoryTarget();
      own.fetch = async () =>
        (async function* () {
          for (let at = 0; at < blob.byteLength; at += 2 ** 20) yield blob.slice(at, at + 2 ** 20);
        })();
      const options = { hasTransientChunks: true, ownsStoredChunks: true };
      const copies: Uint8Array[] = [];
      const chunks: Uint8Array[] = [];
      for await (const chunk of openLayer(own, layer, options)) {
        copies.push(new Uint8Array(chunk));
        chunks.push(chunk);
      }
      expect(Buffer.compare(Buffer.concat(copies), large)).toBe(0);
      const gone = chunks.filter((chunk) => chunk.byteLength === 0).length;
      expect(gone >= 5).toBe(name !== "none");
    },
  );

  test("without hashing its blob where nothing is wrong: what it unpacks to is", async () => {
    const { target, layer } = await stored(gzipSync(tar));
    const asked: (boolean | undefined)[] = [];
    const fetch = target.fetch.bind(target);
    target.fetch = (descriptor, options) => {
      asked.push(options?.verify);
      return fetch(descriptor, options);
    };
    const options = { hashesContentOnly: true };
    await drain(openLayer(target, layer, options));
    await drain(openLayer(target, layer));
    expect(asked).toEqual([false, true]);
    const other = { ...layer, diffId: digestOf(a) };
    await expectCode(drain(openLayer(target, other, options)), "OCI_DIFF_ID_MISMATCH");
    expect(asked).toEqual([false, true, false, true]);
  });

  test("empty", async () => {
    const empty = new Uint8Array(0);
    const { target, layer } = await stored(empty, mediaTypes.ociLayer, empty);
    expect(await drain(openLayer(target, layer))).toEqual(empty);
  });

  test("labelled wrongly, which is told", async () => {
    const told: string[] = [];
    const onMislabelled = (claimed: string, found: string) => told.push(`${claimed} ${found}`);
    await unpack(zstd(tar), { onMislabelled });
    await unpack(tar, { onMislabelled });
    await unpack(gzipSync(tar), { onMislabelled });
    expect(told).toEqual(["gzip zstd", "gzip none"]);
    const { target, layer } = await stored(zstd(tar), mediaTypes.ociLayerZstd);
    await drain(openLayer(target, layer, { onMislabelled }));
    expect(told).toHaveLength(2);
  });
});

describe("zstd frames", () => {
  test("are found however the stream is cut, with any content", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1, maxLength: 4 }),
        fc.integer({ min: 1, max: 9 }),
        fc.boolean(),
        async (parts, size, hasSkippable) => {
          const frames = parts.map((part) => zstd(part, withChecksum));
          const blob = Buffer.concat(hasSkippable ? [skippable(5), ...frames] : frames);
          const content = Buffer.concat(parts);
          const descriptor = describeContent(mediaTypes.ociLayerZstd, blob);
          const layer = { descriptor, diffId: digestOf(content) };
          const read = await drain(openLayer(inPieces(blob, size), layer));
          expect(Buffer.compare(read, content)).toBe(0);
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe("a layer is refused", () => {
  const cut = (blob: Uint8Array, bytes: number) => blob.subarray(0, blob.byteLength - bytes);
  const twoFrames = Buffer.concat([zstd(a, withChecksum), zstd(b, withChecksum)]);
  const corrupt: Record<string, Uint8Array> = {
    "gzip that is cut": cut(gzipSync(tar), 4),
    "gzip with garbage after it": Buffer.concat([gzipSync(tar), Buffer.from("garbage")]),
    "zstd without its checksum": cut(zstd(tar, withChecksum), 4),
    "zstd without the end of its checksum": cut(zstd(tar, withChecksum), 1),
    "zstd without its second frame's end": cut(twoFrames, 10),
    "zstd with only a magic": zstd(tar).subarray(0, 6),
    "zstd with garbage after it": Buffer.concat([zstd(tar), Buffer.from("garbage")]),
    "zstd with zeros and garbage after it": Buffer.concat([zstd(tar), Buffer.from("\0\0\0\0x")]),
    "zstd with a short piece of a magic after it": Buffer.concat([
      zstd(tar),
      zstd(a).subarray(0, 3),
    ]),
    "zstd with a cut skippable frame": Buffer.concat([zstd(tar), cut(skippable(10), 1)]),
    "zstd with a reserved block": Buffer.concat([
      Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x20, 0x00]),
      Buffer.from([0x07, 0x00, 0x00]),
    ]),
  };
  test.each(Object.entries(corrupt))("as corrupt: %s", async (_name, blob) => {
    await expectCode(unpack(blob), "OCI_LAYER_CORRUPT");
  });

  test("when a bit of its zstd content flipped", async () => {
    const blob = Buffer.from(zstd(tar, withChecksum));
    blob[1000] = (blob[1000] as number) ^ 1;
    await expectCode(unpack(blob), "OCI_LAYER_CORRUPT");
  });

  test("when it unpacks to something else", async () => {
    const { target, layer } = await stored(gzipSync(tar), mediaTypes.ociLayerGzip, a);
    const error = await expectCode(drain(openLayer(target, layer)), "OCI_DIFF_ID_MISMATCH");
    expect(error.details).toMatchObject({ expected: digestOf(a), found: digestOf(tar) });
  });

  const damage: Record<string, (blob: Uint8Array) => Uint8Array> = {
    "a bit flipped": (blob) => blob.map((byte, at) => (at === 60_000 ? byte ^ 1 : byte)),
    "zeros follow it": (blob) => Buffer.concat([blob, new Uint8Array(700)]),
    "its end is missing": (blob) => cut(blob, 1),
  };
  test.each(
    Object.entries(damage).flatMap(([name, change]) =>
      [true, false].map((hashesContentOnly) => ({ name, change, hashesContentOnly })),
    ),
  )(
    "with what is wrong with the blob when $name, also where the decoder fails first, whether it is hashed first: $hashesContentOnly",
    async ({ change, hashesContentOnly }) => {
      for (const blob of [gzipSync(tar), zstd(tar), tar]) {
        const { layer } = await stored(blob);
        const damaged = change(blob);
        const target = new MemoryTarget();
        target.fetch = async (descriptor, { verify } = {}) => {
          const chunks = await bytesSource(damaged).open(0);
          return verify === false ? chunks : verifyContent(chunks, descriptor);
        };
        const code =
          damaged.byteLength === blob.byteLength ? "OCI_DIGEST_MISMATCH" : "OCI_SIZE_MISMATCH";
        await expectCode(drain(openLayer(target, layer, { hashesContentOnly })), code);
      }
    },
  );

  test("when it is compressed by xz or bzip2", async () => {
    for (const start of [
      [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0],
      [0x42, 0x5a, 0x68, 0x39, 0, 0],
    ]) {
      await expectCode(unpack(Buffer.from(start)), "OCI_COMPRESSION_UNSUPPORTED");
    }
  });

  test("as soon as it expands too far", async () => {
    const bomb = gzipSync(new Uint8Array(80 * 1024 * 1024));
    for (const limits of [
      { ratioFromBytes: 1024 * 1024, maxRatio: 100 },
      { maxTarBytes: 2 * 1024 * 1024 },
    ]) {
      let seen = 0;
      const { target, layer } = await stored(bomb);
      const reading = async (): Promise<void> => {
        for await (const chunk of openLayer(target, layer, { limits })) seen += chunk.byteLength;
      };
      await expectCode(reading(), "OCI_LAYER_TOO_LARGE");
      expect(seen).toBeLessThanOrEqual(9 * 1024 * 1024);
    }
  });

  test("when its zstd stream has too many frames", async () => {
    const frames = Array.from({ length: 20 }, () => zstd(Buffer.from("x")));
    const content = Buffer.from("x".repeat(20));
    const { target, layer } = await stored(Buffer.concat(frames), mediaTypes.ociLayerZstd, content);
    const read = (maxFrames: number) => drain(openLayer(target, layer, { limits: { maxFrames } }));
    expect(Buffer.from(await read(20))).toEqual(content);
    const error = await expectCode(read(19), "OCI_LAYER_TOO_LARGE");
    expect(error.message).toContain("19 zstd frames");
  });

  test("when its zstd window is larger than 32 MiB, or what is allowed", async () => {
    const read = async (mantissaAndExponent: number, maxWindowBytes?: number) => {
      // Magic, descriptor without single segment, window, then an empty last block.
      const blob = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, mantissaAndExponent, 1, 0, 0]);
      const { target, layer } = await stored(blob, mediaTypes.ociLayerZstd, Buffer.alloc(0));
      const limits = maxWindowBytes === undefined ? {} : { maxWindowBytes };
      return drain(openLayer(target, layer, { limits }));
    };
    // The exponent counts from 1 KiB on; each eighth of it is a mantissa.
    const [mib8, mib32, mib64, gib2] = [13, 15, 16, 21].map((exponent) => exponent << 3) as [
      number,
      number,
      number,
      number,
    ];
    for (const window of [mib8, mib32]) expect(await read(window)).toHaveLength(0);
    for (const window of [mib32 + 1, mib64, gib2]) {
      const error = await expectCode(read(window), "OCI_LAYER_TOO_LARGE");
      expect(error.message).toContain("its zstd window exceeds 33554432 bytes");
    }
    expect(await read(mib64, 64 * 1024 ** 2)).toHaveLength(0);
    expect(await read(mib64, 100 * 1024 ** 2)).toHaveLength(0);
    await expectCode(read(mib64, 64 * 1024 ** 2 - 1), "OCI_LAYER_TOO_LARGE");
    await expectCode(read(mib8, 0), "OCI_LAYER_TOO_LARGE");
    expect(await read(gib2, 2 ** 40)).toHaveLength(0);
  });

  test("with the storage's own error when reading fails", async () => {
    const { layer } = await stored(gzipSync(tar));
    const target = new MemoryTarget();
    const failure = Object.assign(new Error("EIO: i/o error, read"), { code: "EIO" });
    target.fetch = async () =>
      (async function* () {
        yield gzipSync(tar).subarray(0, 1000);
        throw failure;
      })();
    await expect(drain(openLayer(target, layer))).rejects.toBe(failure);
  });

  test("when it is stopped", async () => {
    const { target, layer } = await stored(gzipSync(tar));
    const signal = AbortSignal.abort();
    await expectCode(drain(openLayer(target, layer, { signal })), "ORAS_ABORTED");
  });
});
