import { viewOf, writeU64 } from "../bytes/big-endian.ts";
import { noIcount, type SnapshotEntry, snapshotHeadBytes } from "./parse.ts";

/** Extra data that is always written: bytes of machine state, disk size, instruction count. */
const writtenExtraBytes = 24;

/**
 * Serializes a snapshot table. Entries get the extra data that version 3 asks for, so that no entry depends on the
 * present size of the disk; extra data past it is kept.
 *
 * @see qcow2 specification, "Snapshots"
 */
export function serializeSnapshotTable(entries: readonly SnapshotEntry[]): Uint8Array {
  const lengths = entries.map(entryBytesOf);
  const bytes = new Uint8Array(snapshotTableBytes(entries));
  let at = 0;
  for (const [index, entry] of entries.entries()) {
    writeEntry(bytes.subarray(at, at + (lengths[index] as number)), entry);
    at += Math.ceil((lengths[index] as number) / 8) * 8;
  }
  return bytes;
}

/** Bytes of the table that {@link serializeSnapshotTable} makes: entries are padded to 8, the last one too. */
export function snapshotTableBytes(entries: readonly SnapshotEntry[]): number {
  return entries.reduce((sum, entry) => sum + Math.ceil(entryBytesOf(entry) / 8) * 8, 0);
}

function entryBytesOf({ extra, id, name }: SnapshotEntry): number {
  const extraBytes = Math.max(writtenExtraBytes, extra.byteLength);
  return snapshotHeadBytes + extraBytes + id.byteLength + name.byteLength;
}

function writeEntry(bytes: Uint8Array, entry: SnapshotEntry): void {
  const { extra, id, name } = entry;
  const extraBytes = Math.max(writtenExtraBytes, extra.byteLength);
  const view = viewOf(bytes);
  writeU64(view, 0, entry.l1Offset);
  view.setUint32(8, entry.l1Size);
  view.setUint16(12, id.byteLength);
  view.setUint16(14, name.byteLength);
  view.setUint32(16, entry.dateSeconds);
  view.setUint32(20, entry.dateNanoseconds);
  view.setBigUint64(24, entry.vmClockNanoseconds);
  view.setUint32(32, Number(entry.vmStateBytes & 0xffff_ffffn));
  view.setUint32(36, extraBytes);
  bytes.set(extra, snapshotHeadBytes);
  view.setBigUint64(snapshotHeadBytes, entry.vmStateBytes);
  view.setBigUint64(snapshotHeadBytes + 8, entry.diskSizeBytes);
  view.setBigUint64(snapshotHeadBytes + 16, entry.icount ?? noIcount);
  bytes.set(id, snapshotHeadBytes + extraBytes);
  bytes.set(name, snapshotHeadBytes + extraBytes + id.byteLength);
}
