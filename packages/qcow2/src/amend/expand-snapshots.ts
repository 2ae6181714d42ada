import { viewOf, writeU64 } from "../bytes/big-endian.ts";
import type { SwitchPlan } from "../snapshots/disk-switch.ts";
import { type ReferenceParts, setL1Entries } from "../snapshots/l1-references.ts";
import type { SnapshotEntry } from "../snapshots/parse.ts";
import { namedTables } from "../snapshots/references.ts";
import {
  readActiveL1,
  readL1,
  readTable,
  requirePossible,
  type SnapshotChange,
  type SnapshotParts,
  unusedTables,
} from "../snapshots/snapshot-changes.ts";
import { entryOffset } from "../tables/l1-entry.ts";
import { l2EntryKind } from "../tables/l2-entry.ts";

/**
 * Judges giving the snapshots of an image tables without zero clusters: they are left out where nothing is below, and are
 * a stored cluster of zeros where a backing file would show. What the disk maps has no zero clusters any more.
 *
 * @throws {@link Qcow2Error} `QCOW2_SNAPSHOT_INVALID`, or what reading the snapshot table fails with.
 */
export async function judgeExpansion(
  parts: SnapshotParts,
  hasBacking: boolean,
): Promise<SnapshotChange> {
  const table = await readTable(parts);
  for (const entry of table.entries) requirePossible(parts, entry);
  const plan = async (): Promise<SwitchPlan> => ({
    ended: [],
    begun: [],
    unused: unusedTables(parts, table),
    activeL1: await readActiveL1(parts),
    sizeBytes: parts.header.header.size,
    snapshots: table.entries,
    rewrite: async (references, place) => {
      const expander = new SnapshotExpander(parts, references, place, hasBacking);
      const entries: SnapshotEntry[] = [];
      for (const entry of table.entries) entries.push(await expander.expand(entry));
      await expander.finish();
      return entries;
    },
  });
  return { entry: table.entries[0] as SnapshotEntry, plan };
}

/** An L2 table that was written anew. */
interface ExpandedTable {
  /** Where it is. */
  readonly place: number;
  /** How many of its entries name each of the clusters of zeros. */
  readonly zeros: ReadonlyMap<number, number>;
}

/** Most uses of a cluster of zeros: refcounts of version 2 have 16 bits, and one is held until the end. */
const maxUses = 2 ** 16 - 2;

class SnapshotExpander {
  readonly #parts: SnapshotParts;
  readonly #references: ReferenceParts;
  readonly #place: (l1: Uint8Array) => Promise<number>;
  readonly #hasBacking: boolean;
  readonly #clusterSize: number;
  /** By the place of the old table; `undefined` for one that has no zero clusters. */
  readonly #tables = new Map<number, ExpandedTable | undefined>();
  /** Clusters that are counted once too often, for being taken. */
  readonly #held: number[] = [];
  #zeros = 0;
  #usesLeft = 0;

  constructor(
    parts: SnapshotParts,
    references: ReferenceParts,
    place: (l1: Uint8Array) => Promise<number>,
    hasBacking: boolean,
  ) {
    this.#parts = parts;
    this.#references = references;
    this.#place = place;
    this.#hasBacking = hasBacking;
    this.#clusterSize = 2 ** references.format.clusterBits;
  }

  /** Writes what has to change of a snapshot beside the old, and counts it. */
  async expand(entry: SnapshotEntry): Promise<SnapshotEntry> {
    const { planned, budget } = this.#references;
    const l1 = await readL1(this.#parts, entry);
    const moved = new Map<number, number>();
    for (const { offset, weight } of namedTables(l1, this.#clusterSize, structure, budget)) {
      const table = await this.#readTable(offset);
      if (!this.#tables.has(offset)) {
        budget.take(tableBytes, "snapshot L2 table");
        this.#tables.set(offset, await this.#writeTable(table, offset));
      }
      const expanded = this.#tables.get(offset);
      if (expanded === undefined) continue;
      moved.set(offset, expanded.place);
      await this.#count(expanded.place, weight);
      for (const [zeros, uses] of expanded.zeros) await this.#count(zeros, uses * weight);
      for (const { host } of this.#zeroEntries(table)) {
        if (host !== 0) await this.#count(host, -weight);
      }
      await this.#count(offset, -weight);
    }
    if (moved.size === 0) return entry;
    const l1Offset = await this.#place(await setL1Entries(this.#references, l1, moved, false));
    await planned.changeRange(entry.l1Offset, entry.l1Size * 8, -1);
    return { ...entry, l1Offset };
  }

  /** Gives up what was held. */
  async finish(): Promise<void> {
    for (const offset of this.#held) await this.#count(offset, -1);
  }

  /** Writes a table without zero clusters, when it has any. */
  async #writeTable(table: DataView, offset: number): Promise<ExpandedTable | undefined> {
    const tables = await this.#references.planned.get(offset / this.#clusterSize);
    const bytes = new Uint8Array(table.buffer, table.byteOffset, this.#clusterSize).slice();
    const zeros = new Map<number, number>();
    let hasZeros = false;
    for (const { at } of this.#zeroEntries(table)) {
      hasZeros = true;
      const place = this.#hasBacking ? await this.#takeZeros(tables) : 0;
      writeU64(viewOf(bytes), at, place);
      if (place !== 0) zeros.set(place, (zeros.get(place) ?? 0) + 1);
    }
    if (!hasZeros) return undefined;
    const place = await this.#take();
    await this.#references.store.writeFresh(place, bytes, "snapshot L2 table");
    return { place, zeros };
  }

  /** A cluster of zeros that can be used so many times more. */
  async #takeZeros(uses: number): Promise<number> {
    if (this.#usesLeft < uses) {
      this.#zeros = await this.#take();
      this.#usesLeft = maxUses;
      const { host } = this.#references.store;
      await host.write(this.#zeros, new Uint8Array(this.#clusterSize), "data cluster");
    }
    this.#usesLeft -= uses;
    return this.#zeros;
  }

  async #take(): Promise<number> {
    const place = await this.#references.planned.allocate(1);
    this.#references.budget.take(heldBytes, "snapshot L2 table");
    this.#held.push(place);
    return place;
  }

  /** The zero clusters of a table: where their entries are, and the clusters that they keep; 0 for none. */
  *#zeroEntries(table: DataView): Generator<{ readonly at: number; readonly host: number }> {
    for (let at = 0; at < table.byteLength; at += 8) {
      const [high, low] = [table.getUint32(at), table.getUint32(at + 4)];
      const kind = l2EntryKind(high, low, this.#references.format);
      if (kind === "zero" || kind === "zero-allocated") yield { at, host: entryOffset(high, low) };
    }
  }

  async #count(offset: number, by: number): Promise<void> {
    await this.#references.planned.change(offset / this.#clusterSize, by);
  }

  async #readTable(offset: number): Promise<DataView> {
    const { reader } = this.#references;
    return viewOf(await reader.readExactly(offset, this.#clusterSize, "snapshot L2 table"));
  }
}

const structure = "snapshot L1 table";

/** Memory that a table is taken to need in the map of them, and a cluster in the list of those that are held. */
const tableBytes = 96;
const heldBytes = 16;
