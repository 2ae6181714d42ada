import { readU64, viewOf } from "../bytes/big-endian.ts";
import { Qcow2Error } from "../errors.ts";
import { formatLimits } from "../header/layout.ts";

/** Bytes of a snapshot table entry before its extra data. */
export const snapshotHeadBytes = 40;

/** The fixed part of a snapshot table entry, which says how long the rest is. */
export interface SnapshotHead {
  /** Bytes of the extra data. */
  readonly extraBytes: number;
  /** Bytes of the id. */
  readonly idBytes: number;
  /** Bytes of the name. */
  readonly nameBytes: number;
  /** Bytes of the whole entry, without the padding to 8. */
  readonly entryBytes: number;
}

/** What stands for an instruction count that is not known. */
export const noIcount: bigint = 2n ** 64n - 1n;

/** An internal snapshot. */
export interface SnapshotEntry {
  /** Where its entry starts in the image, in bytes. */
  readonly entryOffset: number;
  /** Unique id; bytes, most often a decimal number. */
  readonly id: Uint8Array;
  /** Name; bytes. */
  readonly name: Uint8Array;
  /** Where its L1 table is. */
  readonly l1Offset: number;
  /** The low 32 bits of {@link SnapshotEntry.l1Offset}: above 2^53 it is rounded. */
  readonly l1OffsetLow: number;
  /** Entries of its L1 table. */
  readonly l1Size: number;
  /** When it was taken: seconds since 1970. */
  readonly dateSeconds: number;
  /** Nanoseconds on top of the seconds. */
  readonly dateNanoseconds: number;
  /** Time that the virtual machine had run, in nanoseconds. */
  readonly vmClockNanoseconds: bigint;
  /** Bytes of saved machine state, 0 for a disk-only snapshot. */
  readonly vmStateBytes: bigint;
  /** Size of the virtual disk when it was taken; the image's own when the entry does not say. */
  readonly diskSizeBytes: bigint;
  /** Instruction count, when the entry has one. */
  readonly icount?: bigint;
  /** Extra data as it stands, kept when the table is written again. */
  readonly extra: Uint8Array;
}

/**
 * Parses the fixed part of an entry.
 *
 * @throws {@link Qcow2Error} `QCOW2_SNAPSHOT_INVALID` when its extra data is longer than QEMU accepts.
 * @see qcow2 specification, "Snapshots"
 */
export function parseSnapshotHead(bytes: Uint8Array, entryOffset: number): SnapshotHead {
  const view = viewOf(bytes);
  const idBytes = view.getUint16(12);
  const nameBytes = view.getUint16(14);
  const extraBytes = view.getUint32(36);
  if (extraBytes > formatLimits.maxSnapshotExtraBytes) {
    throw new Qcow2Error({
      code: "QCOW2_SNAPSHOT_INVALID",
      message: `the snapshot entry at byte ${entryOffset} has ${extraBytes} bytes of extra data, more than ${formatLimits.maxSnapshotExtraBytes}`,
      offset: entryOffset,
      structure: "snapshot table",
    });
  }
  const entryBytes = snapshotHeadBytes + extraBytes + idBytes + nameBytes;
  return { extraBytes, idBytes, nameBytes, entryBytes };
}

/** Parses a whole entry; `bytes` has at least `head.entryBytes`. */
export function parseSnapshotEntry(
  bytes: Uint8Array,
  head: SnapshotHead,
  entryOffset: number,
  imageSizeBytes: bigint,
): SnapshotEntry {
  const view = viewOf(bytes);
  const idStart = snapshotHeadBytes + head.extraBytes;
  const nameStart = idStart + head.idBytes;
  const extra = bytes.slice(snapshotHeadBytes, idStart);
  const extraView = viewOf(extra);
  const icount = head.extraBytes >= 24 ? extraView.getBigUint64(16) : noIcount;
  return {
    entryOffset,
    id: bytes.slice(idStart, nameStart),
    name: bytes.slice(nameStart, nameStart + head.nameBytes),
    l1Offset: readU64(view, 0),
    l1OffsetLow: view.getUint32(4),
    l1Size: view.getUint32(8),
    dateSeconds: view.getUint32(16),
    dateNanoseconds: view.getUint32(20),
    vmClockNanoseconds: view.getBigUint64(24),
    vmStateBytes: head.extraBytes >= 8 ? extraView.getBigUint64(0) : BigInt(view.getUint32(32)),
    diskSizeBytes: head.extraBytes >= 16 ? extraView.getBigUint64(8) : imageSizeBytes,
    ...(icount !== noIcount && { icount }),
    extra,
  };
}
