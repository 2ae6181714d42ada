import type { Qcow2Layer } from "../read/qcow2-layer.ts";
import { entryOffset } from "../tables/l1-entry.ts";
import { decodeEntry } from "./cluster-entry.ts";
import type { ClusterWriter } from "./cluster-writer.ts";
import type { ImageStore } from "./image-store.ts";
import type { L2Finder } from "./l2-cursor.ts";

/** What taking clusters away from a disk needs. */
export interface EmptyParts {
  /** Finds L2 entries. */
  readonly finder: L2Finder;
  /** Clusters and tables of the image, with nothing waiting. */
  readonly store: ImageStore;
  /** The disk. */
  readonly layer: Qcow2Layer;
  /** Knows what an entry uses. */
  readonly writer: ClusterWriter;
  /** Puts what is waiting into the file. */
  readonly commit: () => Promise<void>;
}

/**
 * Takes every L2 table from `firstTable` on away from the disk, with all that it maps: the backing file shows through
 * there. References are gone from the file before the refcounts are lowered.
 */
export async function dropTables(parts: EmptyParts, firstTable: number): Promise<void> {
  const { store, layer } = parts;
  const { l1Offset, l1Entries } = layer.view;
  const { cache, format } = layer.parts;
  const clusterSize = 2 ** format.clusterBits;
  for (let index = firstTable; index < l1Entries; index++) {
    const at = l1Offset + index * 8;
    const l1 = cache.peek(at) ?? (await cache.load(at, "L1 table"));
    const within = at % cache.sliceBytes;
    const table = entryOffset(l1.getUint32(within), l1.getUint32(within + 4));
    if (table === 0) continue;
    await releaseEntries(parts, index, table);
    cache.edit(l1, at, 8, "L1 table");
    l1.setUint32(within, 0);
    l1.setUint32(within + 4, 0);
    cache.forget(table, clusterSize);
    store.retire(table, clusterSize, "L2 table");
    if (store.isFull) await parts.commit();
  }
  await parts.commit();
}

/** Takes clusters away from the disk: the backing file shows through there. */
export async function dropClusters(
  { finder, store, writer }: EmptyParts,
  first: number,
  end: number,
): Promise<void> {
  const none = { host: -1, isCopied: false, allocated: 0, zero: 0 };
  for (let cluster = first; cluster < end; ) {
    const cursor = await finder.open(cluster, store);
    const count = Math.min(end - cluster, cursor.count);
    for (let index = 0; index < count; index++) {
      writer.releaseEntry(cursor.get(index));
      cursor.set(index, none);
    }
    cluster += count;
  }
}

/** Gives back what the entries of a table use, once reading has accepted all of them. */
async function releaseEntries(
  { layer, writer }: EmptyParts,
  index: number,
  table: number,
): Promise<void> {
  const { cache, format } = layer.parts;
  const clusterSize = 2 ** format.clusterBits;
  const entryBytes = format.hasExtendedL2 ? 16 : 8;
  const mapped = (clusterSize / entryBytes) * clusterSize;
  await layer.map.runs(index * mapped, mapped);
  const slices: DataView[] = [];
  for (let at = table; at < table + clusterSize; at += cache.sliceBytes) {
    slices.push(cache.peek(at) ?? (await cache.load(at, "L2 table")));
  }
  // Nothing fails from here on until the table itself is taken away: no entry stays that names what was given back.
  for (const slice of slices) {
    for (let within = 0; within < cache.sliceBytes; within += entryBytes) {
      writer.releaseEntry(decodeEntry(slice, within, format));
    }
  }
}
