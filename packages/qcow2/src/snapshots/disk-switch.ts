import { viewOf, writeU64 } from "../bytes/big-endian.ts";
import type { MemoryBudget } from "../bytes/budget.ts";
import type { SourceReader } from "../bytes/source-reader.ts";
import { autoclearBits, bitsOf } from "../header/features.ts";
import { headerFields } from "../header/layout.ts";
import type { Header } from "../header/parse.ts";
import { serializeHeader } from "../header/serialize.ts";
import type { LiveHeader } from "../inspect/live-header.ts";
import type { HostRange } from "../refcount/refcounts.ts";
import type { L2Format } from "../tables/l2-entry.ts";
import type { ImageStore } from "../write/image-store.ts";
import {
  changeReferences,
  correctCopiedBits,
  type ReferenceParts,
  setL1Entries,
} from "./l1-references.ts";
import type { SnapshotEntry } from "./parse.ts";
import { PlannedRefcounts } from "./planned-refcounts.ts";
import { placeRefcounts, type RefcountPlaces } from "./refcount-places.ts";
import { serializeSnapshotTable, snapshotTableBytes } from "./serialize.ts";

/** What a switch works on. */
export interface SwitchParts {
  /** The image file. */
  readonly reader: SourceReader;
  /** Its clusters and tables, with nothing waiting; not used again after a switch. */
  readonly store: ImageStore;
  /** The header, which is told. */
  readonly header: LiveHeader;
  /** How L2 entries are read. */
  readonly format: L2Format;
  /** Memory for tables and refcounts. */
  readonly budget: MemoryBudget;
}

/** The snapshots and the disk as they are to be. L1 tables are given as they stand in the file. */
export interface SwitchPlan {
  /** L1 tables whose references end. */
  readonly ended: readonly DataView[];
  /** L1 tables whose references begin. */
  readonly begun: readonly DataView[];
  /** Tables that nothing uses any more. */
  readonly unused: readonly { readonly offset: number; readonly lengthBytes: number }[];
  /** The disk's L1 table. */
  readonly activeL1: DataView;
  /** The disk's size in bytes. */
  readonly sizeBytes: bigint;
  /** The snapshots; one of them may still be without its L1 table. */
  readonly snapshots: readonly SnapshotEntry[];
  /** The one that gets a copy of the disk's L1 table. */
  readonly taken?: SnapshotEntry | undefined;
  /**
   * Writes tables of the snapshots beside the old ones and counts what changes.
   *
   * @param place - Takes clusters for an L1 table of a snapshot, and says where they are.
   * @returns The snapshots with their new tables.
   */
  readonly rewrite?: (
    references: ReferenceParts,
    place: (l1: Uint8Array) => Promise<number>,
  ) => Promise<readonly SnapshotEntry[]>;
}

/** What a switch leaves behind. */
export interface Switched {
  /** The ranges that are not used any more. */
  readonly freed: readonly HostRange[];
  /** The snapshot that was taken, with its places in the file. */
  readonly taken?: SnapshotEntry | undefined;
}

/**
 * Brings an image from one set of snapshots and one disk to another, at one moment: all tables and refcounts that change
 * are written to free clusters, and then one write of the header takes them into use. Before it the file is what it was,
 * after it what it is to be, without a leak in either; a failure before it changes nothing.
 */
export async function switchDisk(parts: SwitchParts, plan: SwitchPlan): Promise<Switched> {
  const { host } = parts.store;
  const sizeBefore = host.sizeBytes;
  try {
    const { fields, ...switched } = await writeTables(parts, plan);
    await host.flush();
    await writeHeader(parts, fields);
    return switched;
  } catch (error) {
    // A write that failed may have made the file longer too.
    if (!host.hasFailed && host.freshFrom > sizeBefore) {
      await host.truncate(sizeBefore).catch(() => {});
    }
    throw error;
  }
}

interface WrittenTables extends Switched {
  readonly fields: Partial<Header>;
}

async function writeTables(parts: SwitchParts, plan: SwitchPlan): Promise<WrittenTables> {
  const { store, header, budget } = parts;
  const clusterSize = 2 ** header.header.clusterBits;
  const planned = new PlannedRefcounts(store.refcounts, header.header, budget);
  const how = { ...parts, planned };
  for (const l1 of plan.ended) await changeReferences(how, l1, -1);
  for (const l1 of plan.begun) await changeReferences(how, l1, 1);
  for (const range of plan.unused) await planned.changeRange(range.offset, range.lengthBytes, -1);
  const place = new TablePlacer(store, planned, clusterSize);
  const placeL1 = (table: Uint8Array) => place.write(table, "snapshot L1 table");
  const entries = [...((await plan.rewrite?.(how, placeL1)) ?? plan.snapshots)];
  const moved = await correctCopiedBits(how, plan.activeL1, plan.taken ? 2 : 1);
  const l1 = await setL1Entries(how, plan.activeL1, moved, true);
  const l1TableOffset = await place.write(l1, "L1 table");
  let { taken } = plan;
  if (taken) {
    const l1Offset = await placeL1(await setL1Entries(how, plan.activeL1, moved, false));
    const index = entries.indexOf(taken);
    taken = { ...taken, l1Offset, entryOffset: snapshotTableBytes(entries.slice(0, index)) };
    entries[index] = taken;
  }
  const snapshotsOffset = await place.write(serializeSnapshotTable(entries), "snapshot table");
  if (taken) taken = { ...taken, entryOffset: snapshotsOffset + taken.entryOffset };
  const places = await placeRefcounts(planned, clusterSize);
  const freed = await planned.freed();
  await place.writeRefcounts(places);
  return {
    freed,
    taken,
    fields: {
      size: plan.sizeBytes,
      l1Size: l1.byteLength / 8,
      l1TableOffset,
      refcountTableOffset: places.table.offset,
      refcountTableClusters: places.table.clusters,
      snapshotCount: entries.length,
      snapshotsOffset,
    },
  };
}

/** Writes tables to free clusters and counts them. */
class TablePlacer {
  readonly #store: ImageStore;
  readonly #planned: PlannedRefcounts;
  readonly #clusterSize: number;

  constructor(store: ImageStore, planned: PlannedRefcounts, clusterSize: number) {
    this.#store = store;
    this.#planned = planned;
    this.#clusterSize = clusterSize;
  }

  /** Returns where the table is; 0 for one without a byte. */
  async write(
    table: Uint8Array,
    structure: "L1 table" | "snapshot L1 table" | "snapshot table",
  ): Promise<number> {
    if (table.byteLength === 0) return 0;
    const clusters = Math.ceil(table.byteLength / this.#clusterSize);
    const offset = await this.#planned.allocate(clusters);
    const bytes = new Uint8Array(clusters * this.#clusterSize);
    bytes.set(table);
    await this.#store.writeFresh(offset, bytes, structure);
    return offset;
  }

  async writeRefcounts({ table, blocks }: RefcountPlaces): Promise<void> {
    for (const [index, block] of this.#planned.blocks) {
      await this.#store.writeFresh(blocks[index] ?? 0, block.bytes, "refcount block");
    }
    const bytes = new Uint8Array(table.clusters * this.#clusterSize);
    const view = viewOf(bytes);
    for (const [index, offset] of blocks.entries()) writeU64(view, index * 8, offset);
    await this.#store.writeFresh(table.offset, bytes, "refcount table");
  }
}

/** All that a switch changes lies next to each other, in the first 512 bytes of the file: one write does it. */
async function writeHeader({ store, header }: SwitchParts, fields: Partial<Header>): Promise<void> {
  const known = bitsOf(...Object.values(autoclearBits));
  const autoclearFeatures = header.header.autoclearFeatures & known;
  const changes = { ...fields, autoclearFeatures };
  const end =
    header.header.version === 2 ? headerFields.incompatibleFeatures : headerFields.refcountOrder;
  const bytes = serializeHeader({ ...header.header, ...changes }).subarray(headerFields.size, end);
  await store.host.writeDecision(headerFields.size, bytes, "header");
  await store.host.flush();
  header.update(changes);
}
