import type { RandomAccess } from "@box/io";
import { MemoryBudget } from "../bytes/budget.ts";
import { SourceReader } from "../bytes/source-reader.ts";
import { Qcow2Error } from "../errors.ts";
import type { Header } from "../header/parse.ts";
import type { HeaderArea } from "../inspect/read-header.ts";
import type { SnapshotEntry } from "../snapshots/parse.ts";
import { readSnapshotTable } from "../snapshots/read-table.ts";

interface ReadOptions {
  readonly signal?: AbortSignal;
  readonly maxMetadataBytes?: number;
}

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
  options: ReadOptions,
): Promise<void> {
  const entries = await readSnapshots(source, header, options);
  const short = entries.find(({ extra }) => extra.byteLength < 16);
  if (short === undefined) return;
  throw new Qcow2Error({
    code: "QCOW2_UNSUPPORTED_FEATURE",
    message: "a snapshot does not state the size of its disk, as version 3 demands",
    offset: short.entryOffset,
    structure: "snapshot table",
  });
}

/**
 * Refuses an image with snapshots that version 2 does not describe: of disks of another size than the image's own, or with
 * 4 GiB of machine state and more. QEMU refuses them too.
 *
 * @throws {@link Qcow2Error} `QCOW2_UNSUPPORTED_FEATURE`, or what reading the snapshot table fails with.
 */
export async function requireSizesOfDisk(
  source: RandomAccess,
  { header }: HeaderArea,
  options: ReadOptions,
): Promise<void> {
  const entries = await readSnapshots(source, header, options);
  const other = entries.find(
    ({ diskSizeBytes, vmStateBytes }) => diskSizeBytes !== header.size || vmStateBytes >= 2n ** 32n,
  );
  if (other === undefined) return;
  throw new Qcow2Error({
    code: "QCOW2_UNSUPPORTED_FEATURE",
    message:
      "an image with snapshots of another size, or of 4 GiB of machine state and more, cannot become version 2",
    offset: other.entryOffset,
    structure: "snapshot table",
    hint: "delete these snapshots first",
  });
}

async function readSnapshots(
  source: RandomAccess,
  header: Header,
  { signal, maxMetadataBytes = defaultMetadataBytes }: ReadOptions,
): Promise<readonly SnapshotEntry[]> {
  if (header.snapshotCount === 0) return [];
  const reader = await SourceReader.open(source, signal);
  return (await readSnapshotTable(reader, header, new MemoryBudget(maxMetadataBytes))).entries;
}
