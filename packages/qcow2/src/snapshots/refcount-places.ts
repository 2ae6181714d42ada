import { Qcow2Error } from "../errors.ts";
import { formatLimits } from "../header/layout.ts";
import type { HostRange } from "../refcount/refcounts.ts";
import type { PlannedRefcounts } from "./planned-refcounts.ts";

/** Where changed refcounts go: every changed block to a new place, and so the table that names them. */
export interface RefcountPlaces {
  /** The new table. */
  readonly table: HostRange;
  /** Host offsets of all blocks, moved or not; 0 where there is none. */
  readonly blocks: Float64Array;
}

/**
 * Finds places for all blocks that have changes and for a table of them, and counts these too: a block that is moved
 * frees a cluster and takes another, which may change one block more.
 *
 * @throws {@link Qcow2Error} `QCOW2_TABLE_TOO_LARGE` (limit).
 */
export async function placeRefcounts(
  planned: PlannedRefcounts,
  clusterSize: number,
): Promise<RefcountPlaces> {
  const present = planned.present.blockOffsets();
  const moved = new Map<number, number>();
  const old = planned.present.table;
  await planned.changeRange(old.offset, old.clusters * clusterSize, -1);
  let table: HostRange | undefined;
  let entries = present.length;
  for (;;) {
    // Blocks that change on the way are visited too.
    for (const [index, { offset }] of planned.blocks) {
      if (moved.has(index)) continue;
      entries = Math.max(entries, index + 1);
      moved.set(index, await planned.allocate(1));
      if (offset !== 0) await planned.changeRange(offset, clusterSize, -1);
    }
    const clusters = Math.max(old.clusters, Math.ceil((entries * 8) / clusterSize));
    if (table?.clusters === clusters) return { table, blocks: allBlocks(present, moved, entries) };
    requireWithinLimits(clusters * clusterSize);
    if (table) await planned.giveBack(table);
    table = { offset: await planned.allocate(clusters), clusters };
  }
}

function allBlocks(
  present: Float64Array,
  moved: ReadonlyMap<number, number>,
  entries: number,
): Float64Array {
  const blocks = new Float64Array(entries);
  blocks.set(present);
  for (const [index, offset] of moved) blocks[index] = offset;
  return blocks;
}

function requireWithinLimits(lengthBytes: number): void {
  const limitBytes = formatLimits.maxRefcountTableBytes;
  if (lengthBytes <= limitBytes) return;
  throw new Qcow2Error({
    code: "QCOW2_TABLE_TOO_LARGE",
    message: `the image needs a refcount table of ${lengthBytes} bytes, more than ${limitBytes}`,
    structure: "refcount table",
    details: { lengthBytes, limitBytes },
  });
}
