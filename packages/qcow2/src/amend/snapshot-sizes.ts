import type { RandomAccess } from "@box/io";
import { MemoryBudget } from "../bytes/budget.ts";
import { SourceReader } from "../bytes/source-reader.ts";
import { Qcow2Error } from "../errors.ts";
import type { HeaderArea } from "../inspect/read-header.ts";
import { readSnapshotTable } from "../snapshots/read-table.ts";

const defaultMetadataBytes = 64 * 2 ** 20;

/**
 * Refuses an image with snapshots that do not state the size of their disk, as version 3 demands: it is taken from the
 * image's own.
 *
 * @throws {@link Qcow2Error} `QCOW2_UNSUPPORTED_FEATURE`, or what reading the snapshot table fails with.
 */
export async function requireSnapshotSizes(
  source: RandomAccess,
  { header }: HeaderArea,
  options: { readonly signal?: AbortSignal; readonly maxMetadataBytes?: number },
): Promise<void> {
  if (header.snapshotCount === 0) return;
  const reader = await SourceReader.open(source, options.signal);
  const budget = new MemoryBudget(options.maxMetadataBytes ?? defaultMetadataBytes);
  const { entries } = await readSnapshotTable(reader, header, budget);
  const short = entries.find(({ extra }) => extra.byteLength < 16);
  if (short === undefined) return;
  throw new Qcow2Error({
    code: "QCOW2_UNSUPPORTED_FEATURE",
    message: "a snapshot does not state the size of its disk, as version 3 demands",
    offset: short.entryOffset,
    structure: "snapshot table",
  });
}
