import { MemoryFile } from "@box/io";
import { checkImage } from "@box/qcow2";
import { describe, expect, it } from "vitest";

const clusterBytes = 512;
const tableEntries = 65_536;
const listAt = 4 * clusterBytes;

/** A version 3 image with a table behind a list of `count` entries of `entryBytes` that all name it. */
function imageOf(
  count: number,
  entryBytes: number,
  write: (view: DataView, at: number, index: number, table: number) => void,
): { bytes: Uint8Array; view: DataView } {
  const table = Math.ceil((listAt + count * entryBytes) / clusterBytes) * clusterBytes;
  const bytes = new Uint8Array(table + tableEntries * 8);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0x514649fb);
  view.setUint32(4, 3);
  view.setUint32(20, 9);
  view.setBigUint64(24, 32768n);
  view.setUint32(36, 1);
  view.setBigUint64(40, 512n);
  view.setBigUint64(48, 1024n);
  view.setUint32(56, 1);
  view.setUint32(96, 4);
  view.setUint32(100, 104);
  for (let index = 0; index < count; index++) {
    write(view, listAt + index * entryBytes, index, table);
  }
  for (let index = 0; index < tableEntries; index++) view.setBigUint64(table + index * 8, 2n);
  return { bytes, view };
}

function bitmapsOnOneTable(count: number): Uint8Array {
  const { bytes, view } = imageOf(count, 32, (entry, at, index, table) => {
    entry.setBigUint64(at, BigInt(table));
    entry.setUint32(at + 8, tableEntries);
    entry.setUint32(at + 12, 1);
    entry.setUint8(at + 16, 1);
    entry.setUint8(at + 17, 16);
    entry.setUint16(at + 18, 4);
    entry.setUint32(at + 24, 0x61616161 + index);
  });
  view.setBigUint64(88, 1n);
  view.setUint32(104, 0x23852875);
  view.setUint32(108, 24);
  view.setUint32(112, count);
  view.setBigUint64(120, BigInt(count * 32));
  view.setBigUint64(128, BigInt(listAt));
  return bytes;
}

function snapshotsOnOneTable(count: number): Uint8Array {
  const { bytes, view } = imageOf(count, 64, (entry, at, index, table) => {
    entry.setBigUint64(at, BigInt(table));
    entry.setUint32(at + 8, tableEntries - index);
    entry.setUint16(at + 12, 4);
    entry.setUint16(at + 14, 4);
    entry.setUint32(at + 36, 16);
    entry.setBigUint64(at + 48, 32768n);
    entry.setUint32(at + 56, 0x30303030 + index);
    entry.setUint32(at + 60, 0x61616161 + index);
  });
  view.setUint32(60, count);
  view.setBigUint64(64, BigInt(listAt));
  return bytes;
}

describe("a small file whose tables lie on each other by the hundred", () => {
  it.each([
    ["bitmaps", bitmapsOnOneTable],
    ["snapshots", snapshotsOnOneTable],
  ] as const)(
    "is refused when it has cost as much as several files of its size: %s",
    async (_, make) => {
      const file = new MemoryFile(make(256));
      await expect(checkImage(file)).rejects.toMatchObject({
        code: "QCOW2_METADATA_LIMIT",
        kind: "limit",
        message: expect.stringContaining("lie on each other"),
      });
      await expect(checkImage(file, { repair: "all" })).rejects.toMatchObject({ kind: "limit" });
      expect(file.toBytes()).toEqual(make(256));
    },
  );

  it.each([
    ["bitmaps", bitmapsOnOneTable],
    ["snapshots", snapshotsOnOneTable],
  ] as const)("is reported as what it is while it costs little: %s", async (_, make) => {
    const { counters } = await checkImage(new MemoryFile(make(4)));
    expect(counters.corruptions).toBeGreaterThanOrEqual(4 * (tableEntries - 4));
  });
});
