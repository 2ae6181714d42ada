import { viewOf } from "../bytes/big-endian.ts";
import { headerFields } from "../header/layout.ts";
import type { LiveHeader } from "../inspect/live-header.ts";
import { decodeEntry } from "./cluster-entry.ts";
import { cutData, isDataLonger } from "./data-file-size.ts";
import { dropClusters, dropTables, type EmptyParts } from "./empty-disk.ts";
import type { HostFile } from "./host-file.ts";

/** What making a disk smaller needs. */
export interface ShrinkParts extends EmptyParts {
  /** Where data is: the image file or the external data file. */
  readonly data: HostFile;
  /** The header. */
  readonly header: LiveHeader;
}

/**
 * Makes a disk smaller: the new size first, then what is behind the new end is given back, so that a crash leaves the
 * old disk or the new one. Clusters that such a crash leaves behind are found when the disk grows.
 *
 * @param setSize - Writes the new size to the header, and bitmaps of that size.
 */
export async function shrinkDisk(
  parts: ShrinkParts,
  l1Entries: number,
  setSize: () => Promise<void>,
): Promise<void> {
  const { store, layer, header } = parts;
  try {
    await setSize();
  } finally {
    // Giving the old bitmaps back comes after the new size is written, and may fail too.
    layer.moveTo({ ...layer.view, sizeBytes: Number(header.info.virtualSizeBytes) });
  }
  await store.host.flush();
  await zeroTail(parts);
  await dropPast(parts);
  if (l1Entries < layer.view.l1Entries) await cutL1(parts, Math.max(1, l1Entries));
  await store.trim();
}

/** Ends a shrink that a crash ended after the new size was written, and before the raw data file was cut. */
export async function finishCut(parts: ShrinkParts): Promise<void> {
  const { layer, header, store, data, commit } = parts;
  if (!isDataLonger(header.info, layer)) return;
  await store.clearAutoclear(true);
  await dropPast(parts);
  await commit();
  await cutData(data, layer.sizeBytes);
}

/** Takes away what the tables have behind the end of the disk. */
export async function dropPast(parts: ShrinkParts): Promise<void> {
  const { layer, finder } = parts;
  const { entriesPerTable, clusterSize } = finder;
  const end = Math.ceil(layer.sizeBytes / clusterSize);
  const isInTable = end % entriesPerTable > 0;
  if (isInTable && (await hasEntriesFrom(parts, end))) {
    await dropClusters(parts, end, Math.ceil(end / entriesPerTable) * entriesPerTable);
  }
  await dropTables(parts, Math.ceil(end / entriesPerTable));
}

/** Whether the table of a cluster has anything from that cluster on. */
async function hasEntriesFrom({ layer, finder }: ShrinkParts, cluster: number): Promise<boolean> {
  if (!(await finder.hasTable(cluster))) return false;
  const clusterSize = 2 ** layer.parts.format.clusterBits;
  const rest = finder.entriesPerTable - (cluster % finder.entriesPerTable);
  // What reading would not accept is refused here, before anything is built on it.
  const runs = await layer.map.runs(cluster * clusterSize, rest * clusterSize);
  return runs.some(({ kind, hostOffset }) => kind !== "unallocated" || hostOffset >= 0);
}

/** Zeroes what the last cluster holds behind the end of the disk, where nothing else uses it. */
async function zeroTail({ layer, finder, writer, data }: ShrinkParts): Promise<void> {
  const { cache, format } = layer.parts;
  const clusterSize = 2 ** format.clusterBits;
  const within = layer.sizeBytes % clusterSize;
  const cluster = Math.floor(layer.sizeBytes / clusterSize);
  if (within === 0 || !(await finder.hasTable(cluster))) return;
  const at = await finder.entryAt(cluster);
  const slice = cache.peek(at) ?? (await cache.load(at, "L2 table"));
  const entry = decodeEntry(slice, at % cache.sliceBytes, format);
  if (entry.allocated === 0 || !(await writer.isOwn(entry))) return;
  await data.write(entry.host + within, new Uint8Array(clusterSize - within), "data cluster");
}

/** Gives the end of the L1 table back, whose entries are all empty. */
async function cutL1(
  { layer, store, header, commit }: ShrinkParts,
  entries: number,
): Promise<void> {
  const { l1Offset, l1Entries } = layer.view;
  const { cache, format } = layer.parts;
  const clusterSize = 2 ** format.clusterBits;
  const field = new Uint8Array(4);
  viewOf(field).setUint32(0, entries);
  await store.host.writeDecision(headerFields.l1Size, field, "header");
  header.update({ l1Size: entries });
  layer.moveTo({ ...layer.view, l1Entries: entries });
  await store.host.flush();
  const keptEnd = l1Offset + Math.ceil((entries * 8) / clusterSize) * clusterSize;
  const end = l1Offset + Math.ceil((l1Entries * 8) / clusterSize) * clusterSize;
  if (end === keptEnd) return;
  cache.forget(keptEnd, end - keptEnd);
  store.retire(keptEnd, end - keptEnd, "L1 table");
  await commit();
}
