import { MemoryFile } from "@box/io";
import fc from "fast-check";
import { expect, it } from "vitest";
import { validImage } from "../../fixtures/build.ts";
import { MemoryBudget } from "../../src/bytes/budget.ts";
import { SourceReader } from "../../src/bytes/source-reader.ts";
import { parseHeader } from "../../src/header/parse.ts";
import type { SnapshotEntry } from "../../src/snapshots/parse.ts";
import { readSnapshotTable } from "../../src/snapshots/read-table.ts";
import { serializeSnapshotTable, snapshotTableBytes } from "../../src/snapshots/serialize.ts";

const u32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const text = fc.uint8Array({ maxLength: 300 });

/** What an entry says in its extra data, as bytes, and what is behind that. */
const contents = fc.record({
  id: text,
  name: text,
  l1Offset: fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
  l1Size: u32,
  dateSeconds: u32,
  dateNanoseconds: u32,
  vmClockNanoseconds: u64,
  vmStateBytes: u64,
  diskSizeBytes: u64,
  // All ones stand for none.
  icount: fc.bigInt({ min: 0n, max: 2n ** 64n - 2n }),
  behind: fc.uint8Array({ maxLength: 40 }),
});

/** Entries as the table of an image at this offset has them. */
function entriesAt(start: number, all: readonly Contents[]): SnapshotEntry[] {
  let at = start;
  return all.map(({ behind, ...content }) => {
    const extra = new Uint8Array(24 + behind.byteLength);
    const view = new DataView(extra.buffer);
    view.setBigUint64(0, content.vmStateBytes);
    view.setBigUint64(8, content.diskSizeBytes);
    view.setBigUint64(16, content.icount);
    extra.set(behind, 24);
    const entryOffset = at;
    const { l1Offset, id, name } = content;
    at += Math.ceil((40 + extra.byteLength + id.byteLength + name.byteLength) / 8) * 8;
    return { ...content, entryOffset, extra, l1OffsetLow: l1Offset % 2 ** 32 };
  });
}

type Contents = typeof contents extends fc.Arbitrary<infer Value> ? Value : never;

it("a snapshot table parses to what was serialized", async () => {
  const start = 65536;
  await fc.assert(
    fc.asyncProperty(fc.array(contents, { maxLength: 20 }), async (all) => {
      const entries = entriesAt(start, all);
      const table = serializeSnapshotTable(entries);
      expect(table.byteLength).toBe(snapshotTableBytes(entries));
      const file = new Uint8Array(start + table.byteLength);
      file.set(table, start);
      const reader = await SourceReader.open(new MemoryFile(file));
      const header = {
        ...parseHeader(validImage()),
        snapshotsOffset: start,
        snapshotCount: entries.length,
      };
      const found = await readSnapshotTable(reader, header, new MemoryBudget(2 ** 20));
      expect(found.entries).toEqual(entries);
      expect(serializeSnapshotTable(found.entries)).toEqual(table);
    }),
  );
});

it("a snapshot table of version 2 is written with the extra data of version 3", () => {
  const entry = entriesAt(0, [
    {
      id: Uint8Array.of(49),
      name: Uint8Array.of(65),
      l1Offset: 2 ** 40,
      l1Size: 1,
      dateSeconds: 1,
      dateNanoseconds: 2,
      vmClockNanoseconds: 3n,
      vmStateBytes: 2n ** 33n,
      diskSizeBytes: 4n,
      icount: 0n,
      behind: new Uint8Array(0),
    },
  ])[0] as SnapshotEntry;
  const { icount: _, ...known } = { ...entry, extra: new Uint8Array(0) };
  const view = new DataView(serializeSnapshotTable([known]).buffer);
  expect(view.getUint32(36)).toBe(24);
  expect([view.getBigUint64(40), view.getBigUint64(48)]).toEqual([2n ** 33n, 4n]);
  expect(view.getBigUint64(56)).toBe(2n ** 64n - 1n);
});
