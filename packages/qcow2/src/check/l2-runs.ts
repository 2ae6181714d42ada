import type { L2Table } from "./l2-queue.ts";
import type { WalkContext } from "./walk-context.ts";

/** Neighbouring L2 tables that are read together. */
export interface L2Run {
  /** Where the first one is in the image file. */
  readonly offset: number;
  /** The tables, in file order. */
  readonly tables: readonly L2Table[];
  /** Bytes from the first one to the end of the last. */
  readonly lengthBytes: number;
}

const maxRunBytes = 1 << 20;
/** Reading a gap of this length is cheaper than a read of its own. */
const maxGapBytes = 1 << 15;
const runsInFlight = 4;

/** Groups tables that are next to each other, or nearly so. */
export function* l2Runs(tables: Iterable<L2Table>, clusterSize: number): Generator<L2Run> {
  let group: L2Table[] = [];
  let end = 0;
  for (const table of tables) {
    const first = group[0]?.offset ?? table.offset;
    const isNear =
      table.offset - end <= maxGapBytes && table.offset + clusterSize - first <= maxRunBytes;
    if (group.length > 0 && !isNear) {
      yield { offset: first, tables: group, lengthBytes: end - first };
      group = [];
    }
    group.push(table);
    end = table.offset + clusterSize;
  }
  const first = group[0]?.offset ?? 0;
  if (group.length > 0) yield { offset: first, tables: group, lengthBytes: end - first };
}

/** Reads runs in order, a few ahead of the one that is worked on. */
export async function* readAhead(
  context: WalkContext,
  runs: Iterable<L2Run>,
): AsyncGenerator<{ run: L2Run; bytes: Uint8Array }> {
  const pending: { run: L2Run; bytes: Promise<Uint8Array> }[] = [];
  try {
    for (const run of runs) {
      const bytes = context.readPadded(run.offset, run.lengthBytes);
      bytes.catch(() => {});
      pending.push({ run, bytes });
      const next = pending.length >= runsInFlight ? pending.shift() : undefined;
      if (next) yield { run: next.run, bytes: await next.bytes };
    }
    for (let next = pending.shift(); next; next = pending.shift()) {
      yield { run: next.run, bytes: await next.bytes };
    }
  } finally {
    await Promise.allSettled(pending.map(({ bytes }) => bytes));
  }
}
