import { constants, deflateRawSync, zstdCompressSync } from "node:zlib";
import { portableCodec } from "@box/qcow2";
import { blockingNodeCodec, nodeCodec } from "@box/qcow2/node";
import fc from "fast-check";
import { describe, expect, it } from "vitest";

const options = { outputBytes: 16384, allowsLonger: false };

/** A cluster that is made of noise, runs, words and copies of itself. */
const cluster = fc
  .array(
    fc.oneof(
      fc.uint8Array({ minLength: 1, maxLength: 3000 }),
      fc.record({ byte: fc.nat(255), count: fc.integer({ min: 1, max: 5000 }) }),
      fc.record({
        distance: fc.integer({ min: 1, max: 9000 }),
        count: fc.integer({ min: 3, max: 900 }),
      }),
    ),
    { minLength: 1, maxLength: 60 },
  )
  .map((parts) => {
    const bytes = new Uint8Array(options.outputBytes);
    let at = 0;
    for (const part of parts) {
      const count = part instanceof Uint8Array ? part.byteLength : part.count;
      for (let index = 0; index < count && at < bytes.byteLength; index++, at++) {
        if (part instanceof Uint8Array) bytes[at] = part[index] ?? 0;
        else if ("byte" in part) bytes[at] = part.byte;
        else bytes[at] = bytes[at - part.distance] ?? 1;
      }
    }
    return bytes;
  });

const trailing = fc.uint8Array({ maxLength: 511 });

describe.each([
  ["portable", portableCodec],
  ["node", nodeCodec],
  ["blocking node", blockingNodeCodec],
] as const)("the %s codec", (_, codec) => {
  it("inflates what zlib deflated at any level and window, whatever follows", async () => {
    const settings = fc.record({
      level: fc.integer({ min: 0, max: 9 }),
      windowBits: fc.integer({ min: 9, max: 15 }),
      strategy: fc.constantFrom(
        constants.Z_DEFAULT_STRATEGY,
        constants.Z_HUFFMAN_ONLY,
        constants.Z_FIXED,
      ),
    });
    await fc.assert(
      fc.asyncProperty(cluster, settings, trailing, async (bytes, how, rest) => {
        const stored = Buffer.concat([deflateRawSync(bytes, how), rest]);
        expect(Buffer.compare(await codec.decompress("zlib", stored, options), bytes)).toBe(0);
      }),
      { numRuns: 60 },
    );
  });

  it("decompresses what zstd compressed at any level, whatever follows", async () => {
    const settings = fc.record({ level: fc.integer({ min: -5, max: 19 }), checksum: fc.nat(1) });
    await fc.assert(
      fc.asyncProperty(cluster, settings, trailing, async (bytes, { level, checksum }, rest) => {
        const params = {
          [constants.ZSTD_c_compressionLevel]: level,
          [constants.ZSTD_c_checksumFlag]: checksum,
        };
        const stored = Buffer.concat([zstdCompressSync(bytes, { params }), rest]);
        expect(Buffer.compare(await codec.decompress("zstd", stored, options), bytes)).toBe(0);
      }),
      { numRuns: 60 },
    );
  });

  it("fails as a bad stream, and only so, on streams with changed bytes", async () => {
    const change = fc.record({ at: fc.nat(), value: fc.nat(255) });
    const type = fc.constantFrom("zlib" as const, "zstd" as const);
    await fc.assert(
      fc.asyncProperty(
        cluster,
        type,
        fc.array(change, { minLength: 1 }),
        async (bytes, kind, changes) => {
          const stored = Buffer.from(
            kind === "zlib" ? deflateRawSync(bytes) : zstdCompressSync(bytes),
          );
          for (const { at, value } of changes) stored[at % stored.byteLength] = value;
          const outcome = await codec.decompress(kind, stored, options).then(
            (output) =>
              output.byteLength === options.outputBytes ? "QCOW2_COMPRESSED_DATA_INVALID" : "short",
            (error: { code?: unknown }) => error.code,
          );
          expect(outcome).toBe("QCOW2_COMPRESSED_DATA_INVALID");
        },
      ),
      { numRuns: 150 },
    );
  });

  it("cuts a longer zlib stream off when asked to be like QEMU", async () => {
    const longer = deflateRawSync(Buffer.alloc(options.outputBytes + 1000, "abc"));
    const output = await codec.decompress("zlib", longer, { ...options, allowsLonger: true });
    expect(Buffer.compare(output, Buffer.alloc(options.outputBytes, "abc"))).toBe(0);
  });
});
