import { viewOf } from "../bytes/big-endian.ts";
import { entryOffset, isCopied } from "../tables/l1-entry.ts";
import { l2EntryKind } from "../tables/l2-entry.ts";
import type { L2Queue } from "./l2-queue.ts";
import { l2Runs, readAhead } from "./l2-runs.ts";
import { RefcountLookup } from "./refcount-lookup.ts";
import { clusterUse } from "./reference-map.ts";
import type { WalkContext } from "./walk-context.ts";
import type { RefcountBlocks } from "./walk-refcounts.ts";

const chunkBytes = 1 << 20;

/**
 * Reports every entry of the active disk whose bit 63 does not say whether the refcount is exactly 1.
 *
 * Reads the active tables once more: while they were walked, the refcounts were not known yet. Call it when
 * `compareRefcounts` has left wrong claims, or when entries point past the end of the file.
 */
export async function reportCopiedBits(
  context: WalkContext,
  tables: { readonly l2Tables: L2Queue; readonly blocks: RefcountBlocks },
): Promise<void> {
  const judge = new CopiedBitJudge(context, tables.blocks);
  await reportL1Entries(context, judge);
  if (!context.format.hasDataFile) await reportL2Entries(context, tables.l2Tables, judge);
}

async function reportL1Entries(context: WalkContext, judge: CopiedBitJudge): Promise<void> {
  const { l1TableOffset, l1Size } = context.area.header;
  const l1Bytes = Math.floor(context.insideFile(l1TableOffset, l1Size * 8) / 8) * 8;
  for (let done = 0; done < l1Bytes; done += chunkBytes) {
    context.pause();
    const length = Math.min(chunkBytes, l1Bytes - done);
    const view = viewOf(await context.readPadded(l1TableOffset + done, length));
    for (let at = 0; at < length; at += 8) {
      const high = view.getUint32(at);
      const target = entryOffset(high, view.getUint32(at + 4));
      const entryAt = l1TableOffset + done + at;
      if (target === 0) continue;
      await judge.entry({
        high,
        target,
        entryAt,
        structure: "L1 table",
        tableOffset: l1TableOffset,
        weight: 1,
      });
    }
  }
}

async function reportL2Entries(
  context: WalkContext,
  queue: L2Queue,
  judge: CopiedBitJudge,
): Promise<void> {
  const { format, clusterSize } = context;
  const entryBytes = format.hasExtendedL2 ? 16 : 8;
  for await (const { run, bytes } of readAhead(context, l2Runs(queue.tables(), clusterSize))) {
    context.pause();
    for (const { offset: tableOffset, activeWeight } of run.tables) {
      // The "table" in the header's cluster is none, only an entry with flags and no offset.
      if (activeWeight === 0 || tableOffset === 0) continue;
      const start = tableOffset - run.offset;
      const view = viewOf(bytes.subarray(start, start + clusterSize));
      for (let at = 0; at < clusterSize; at += entryBytes) {
        const high = view.getUint32(at);
        const low = view.getUint32(at + 4);
        const kind = l2EntryKind(high, low, format);
        if (kind !== "normal" && kind !== "zero-allocated") continue;
        const target = entryOffset(high, low);
        const pending = judge.entry({
          high,
          target,
          entryAt: tableOffset + at,
          structure: "L2 table",
          tableOffset,
          weight: activeWeight,
        });
        if (pending !== undefined) await pending;
      }
    }
  }
}

/** An entry whose bit 63 claims something about its target's refcount. */
interface ClaimingEntry {
  /** The entry's high word. */
  readonly high: number;
  /** Where it points. */
  readonly target: number;
  /** Where it stands. */
  readonly entryAt: number;
  /** The table that it stands in. */
  readonly tableOffset: number;
  /** Which kind of table that is. */
  readonly structure: "L1 table" | "L2 table";
  /** How often that table is referenced. */
  readonly weight: number;
}

/** Compares what entries claim with what the comparison of refcounts has left in the reference map. */
class CopiedBitJudge {
  readonly #context: WalkContext;
  readonly #refcounts: RefcountLookup;

  constructor(context: WalkContext, blocks: RefcountBlocks) {
    this.#context = context;
    this.#refcounts = new RefcountLookup(context, blocks);
  }

  /** Judges one entry; a promise only when a refcount must be looked up. */
  entry(entry: ClaimingEntry): Promise<void> | undefined {
    const { references, clusterSize, reader } = this.#context;
    const { target } = entry;
    const cluster = Math.floor(target / clusterSize);
    const isCounted = target < reader.sizeBytes && references.countAt(cluster) > 0;
    if (!this.#refcounts.canRead(cluster)) return undefined;
    if (!isCounted) return this.#uncounted(cluster, entry);
    const wrong = isCopied(entry.high) ? clusterUse.claimedCopied : clusterUse.claimedShared;
    if ((references.usesAt(cluster) & wrong) !== 0) this.#report(entry);
    return undefined;
  }

  async #uncounted(cluster: number, entry: ClaimingEntry): Promise<void> {
    const stored = await this.#refcounts.at(cluster);
    if (stored === undefined || (stored === 1) === isCopied(entry.high)) return;
    this.#report(entry);
  }

  #report({ high, target, entryAt, structure, tableOffset, weight }: ClaimingEntry): void {
    const isSet = isCopied(high);
    const problem = `has the copied bit ${isSet ? "set" : "clear"}, but the refcount is ${isSet ? "not " : ""}1`;
    const message = `the entry at byte ${entryAt} for the cluster at byte ${target} ${problem}`;
    const code = "QCOW2_COPIED_BIT_WRONG";
    this.#context.report({ code, structure, offset: entryAt, message }, weight);
    this.#context.hooks.wrongCopiedBit?.(entryAt, tableOffset);
  }
}
