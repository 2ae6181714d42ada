import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseExtensions } from "../../src/extensions/parse.ts";
import { serializeExtensions } from "../../src/extensions/serialize.ts";
import { type Header, parseHeader } from "../../src/header/parse.ts";
import { serializeHeader } from "../../src/header/serialize.ts";

const u32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const offset = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });

const header: fc.Arbitrary<Header> = fc.record({
  version: fc.constant(3 as const),
  backingFileOffset: offset,
  backingFileSize: u32,
  clusterBits: u32,
  size: u64,
  cryptMethod: u32,
  l1Size: u32,
  l1TableOffset: offset,
  refcountTableOffset: offset,
  refcountTableClusters: u32,
  snapshotCount: u32,
  snapshotsOffset: offset,
  incompatibleFeatures: u64,
  compatibleFeatures: u64,
  autoclearFeatures: u64,
  refcountOrder: u32,
  headerLength: fc.constant(120),
  compressionType: fc.integer({ min: 0, max: 255 }),
  unknownFields: fc.uint8Array({ minLength: 15, maxLength: 15 }),
});

describe("headers and extensions", () => {
  it("parse to what was serialized", () => {
    fc.assert(
      fc.property(header, (value) => {
        expect(parseHeader(serializeHeader(value))).toEqual(value);
      }),
    );
  });

  it("parse to the extensions that were serialized", () => {
    const extension = fc.record({
      type: fc.integer({ min: 1, max: 2 ** 32 - 1 }),
      data: fc.uint8Array({ maxLength: 40 }),
    });
    fc.assert(
      fc.property(fc.array(extension, { maxLength: 10 }), (extensions) => {
        const bytes = serializeExtensions(extensions);
        const parsed = parseExtensions(bytes, 0, bytes.byteLength, true);
        expect(parsed?.map(({ type, data }) => ({ type, data }))).toEqual(extensions);
      }),
    );
  });
});
