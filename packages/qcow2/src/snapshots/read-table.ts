import type { MemoryBudget } from "../bytes/budget.ts";
import type { SourceReader } from "../bytes/source-reader.ts";
import { Qcow2Error } from "../errors.ts";
import { formatLimits } from "../header/layout.ts";
import type { Header } from "../header/parse.ts";
import {
  parseSnapshotEntry,
  parseSnapshotHead,
  type SnapshotEntry,
  snapshotHeadBytes,
} from "./parse.ts";

/** The snapshot table of an image. */
export interface SnapshotTable {
  /** Its entries, in file order. */
  readonly entries: readonly SnapshotEntry[];
  /** Bytes of the table from its offset to the end of its last entry. */
  readonly lengthBytes: number;
}

const windowBytes = 65536;

/**
 * Reads the snapshot table, 64 KiB at a time.
 *
 * @throws {@link Qcow2Error} `QCOW2_TRUNCATED`, `QCOW2_SNAPSHOT_INVALID` (corrupt), `QCOW2_TABLE_TOO_LARGE`,
 * `QCOW2_METADATA_LIMIT` (limit).
 */
export async function readSnapshotTable(
  reader: SourceReader,
  header: Header,
  budget: MemoryBudget,
): Promise<SnapshotTable> {
  const start = header.snapshotsOffset;
  if (start >= reader.sizeBytes && header.snapshotCount > 0) throw pastEnd(start, reader.sizeBytes);
  const entries: SnapshotEntry[] = [];
  let window: Uint8Array = new Uint8Array(0);
  let windowStart = start;
  const bytesAt = async (offset: number, length: number): Promise<Uint8Array> => {
    if (offset + length > windowStart + window.byteLength) {
      const available = reader.sizeBytes - offset;
      const wanted = Math.max(length, Math.min(windowBytes, available));
      window = await reader.readExactly(offset, wanted, "snapshot table");
      windowStart = offset;
    }
    return window.subarray(offset - windowStart);
  };
  let end = start;
  while (entries.length < header.snapshotCount) {
    const offset = start + Math.ceil((end - start) / 8) * 8;
    const head = parseSnapshotHead(await bytesAt(offset, snapshotHeadBytes), offset);
    budget.take(head.entryBytes + 512, "snapshot table");
    const bytes = await bytesAt(offset, head.entryBytes);
    entries.push(parseSnapshotEntry(bytes, head, offset, header.size));
    end = offset + head.entryBytes;
    if (end - start > formatLimits.maxSnapshotTableBytes) {
      throw new Qcow2Error({
        code: "QCOW2_TABLE_TOO_LARGE",
        message: `the snapshot table is longer than ${formatLimits.maxSnapshotTableBytes} bytes`,
        offset: start,
        structure: "snapshot table",
      });
    }
  }
  return { entries, lengthBytes: end - start };
}

/** Nothing is asked of the source: the offset may be one that no file has. */
function pastEnd(offset: number, fileSizeBytes: number): Qcow2Error {
  return new Qcow2Error({
    code: "QCOW2_TRUNCATED",
    message: `the snapshot table at byte ${offset} starts past the end of the file (${fileSizeBytes})`,
    offset,
    structure: "snapshot table",
    details: { fileSizeBytes },
  });
}
