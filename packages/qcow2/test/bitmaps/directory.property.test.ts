import fc from "fast-check";
import { expect, it } from "vitest";
import {
  type BitmapEntry,
  bitmapTableEntries,
  parseBitmapDirectory,
} from "../../src/bitmaps/parse.ts";
import { bitmapDirectoryBytes, serializeBitmapDirectory } from "../../src/bitmaps/serialize.ts";

const contents = fc.record({
  name: fc.uint8Array({ minLength: 1, maxLength: 1023 }),
  tableCluster: fc.integer({ min: 1, max: 2 ** 32 }),
  flags: fc.nat(7),
  granularityBits: fc.integer({ min: 9, max: 31 }),
  extra: fc.uint8Array({ maxLength: 200 }),
});

it("a bitmap directory parses to what was serialized", () => {
  fc.assert(
    fc.property(
      fc.array(contents, { maxLength: 12 }),
      fc.bigInt({ min: 1n, max: 2n ** 40n }),
      fc.integer({ min: 9, max: 21 }),
      fc.nat(2 ** 40),
      (all, size, clusterBits, offset) => {
        const disk = { size, clusterBits };
        let entryOffset = offset;
        const entries = all.map(({ tableCluster, ...content }): BitmapEntry => {
          const entry = {
            ...content,
            entryOffset,
            tableOffset: tableCluster * 2 ** clusterBits,
            tableEntries: bitmapTableEntries(disk, content.granularityBits),
          };
          entryOffset += Math.ceil((24 + entry.extra.byteLength + entry.name.byteLength) / 8) * 8;
          return entry;
        });
        const bytes = serializeBitmapDirectory(entries);
        expect(bytes.byteLength).toBe(bitmapDirectoryBytes(entries));
        const info = { offset, count: entries.length, lengthBytes: bytes.byteLength };
        const found = parseBitmapDirectory(bytes, info, disk);
        expect(found).toEqual(entries);
        expect(serializeBitmapDirectory(found)).toEqual(bytes);
      },
    ),
  );
});
