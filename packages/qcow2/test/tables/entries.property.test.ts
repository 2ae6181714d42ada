import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { viewOf } from "../../src/bytes/big-endian.ts";
import { entryOffset, hasReservedL1Bits, isCopied } from "../../src/tables/l1-entry.ts";
import {
  compressedRange,
  hasReservedL2Bits,
  type L2Format,
  writeCompressedEntry,
} from "../../src/tables/l2-entry.ts";
import { type ClusterEntry, decodeEntry, encodeEntry } from "../../src/write/cluster-entry.ts";

const clusterBits = fc.integer({ min: 9, max: 21 });

function formatOf(bits: number, hasExtendedL2: boolean): L2Format {
  const clusterBits = hasExtendedL2 ? Math.max(14, bits) : bits;
  return { clusterBits, hasExtendedL2, hasDataFile: false, version: 3 };
}

describe("entries of tables", () => {
  it("of clusters are read as they were written, with no reserved bits", () => {
    const parts = fc.record({
      bits: clusterBits,
      hasExtendedL2: fc.boolean(),
      cluster: fc.integer({ min: 1, max: 2 ** 32 }),
      hasHost: fc.boolean(),
      isCopied: fc.boolean(),
      allocated: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
      zero: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
    });
    fc.assert(
      fc.property(parts, ({ bits, hasExtendedL2, cluster, hasHost, ...rest }) => {
        const format = formatOf(bits, hasExtendedL2);
        const isZero = (rest.zero & 1) !== 0;
        const entry: ClusterEntry = {
          host: hasHost ? cluster * 2 ** format.clusterBits : -1,
          isCopied: hasHost && rest.isCopied,
          allocated: hasExtendedL2 ? rest.allocated & ~rest.zero : hasHost && !isZero ? 1 : 0,
          zero: hasExtendedL2 ? rest.zero | 0 : isZero ? 1 : 0,
        };
        const view = new DataView(new ArrayBuffer(16));
        encodeEntry(view, 0, entry, format);
        expect(decodeEntry(view, 0, format)).toEqual(entry);
        expect(hasReservedL2Bits(view.getUint32(0), view.getUint32(4), format)).toBe(false);
      }),
    );
  });

  it("of compressed clusters name the first byte, and at least as many bytes as there are", () => {
    const parts = fc.tuple(clusterBits, fc.nat(2 ** 49 - 1), fc.nat(), fc.nat(511));
    fc.assert(
      fc.property(parts, ([bits, sector, length, shift]) => {
        const offset = (sector * 512 + shift) % 2 ** Math.min(53, 70 - bits);
        const lengthBytes = 1 + (length % 2 ** bits);
        const view = new DataView(new ArrayBuffer(8));
        writeCompressedEntry(view, 0, offset, lengthBytes, bits);
        const range = compressedRange(view.getUint32(0), view.getUint32(4), bits);
        expect(range.offset).toBe(offset);
        expect(range.lengthBytes).toBeGreaterThanOrEqual(lengthBytes);
        expect(range.lengthBytes).toBeLessThan(lengthBytes + 512);
      }),
    );
  });

  it("of L1 tables are an offset, the copied bit and reserved bits, and nothing else", () => {
    const value = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
    fc.assert(
      fc.property(value, (entry) => {
        const bytes = new Uint8Array(8);
        const view = viewOf(bytes);
        view.setBigUint64(0, entry);
        const [high, low] = [view.getUint32(0), view.getUint32(4)];
        expect(BigInt(entryOffset(high, low))).toBe(entry & 0x00ff_ffff_ffff_fe00n);
        expect(isCopied(high)).toBe(entry >> 63n === 1n);
        expect(hasReservedL1Bits(high, low)).toBe((entry & 0x7f00_0000_0000_01ffn) !== 0n);
      }),
    );
  });
});
