import type { MemoryBudget } from "../bytes/budget.ts";

/** An L2 table to walk, once however often it is referenced. */
export interface L2Table {
  /** Where it is in the image file. */
  readonly offset: number;
  /** References from the active L1 table. */
  readonly activeWeight: number;
  /** References from snapshots' L1 tables. */
  readonly snapshotWeight: number;
}

const maxMisaligned = 64;

/** Collects the L2 tables that L1 tables name and gives each of them once, in file order. */
export class L2Queue {
  readonly #active: number[] = [];
  readonly #snapshots = new Map<number, number>();
  readonly #misaligned = new Set<number>();
  readonly #budget: MemoryBudget;

  constructor(budget: MemoryBudget) {
    this.#budget = budget;
  }

  /** Takes one reference from the active L1 table or `weight` references from snapshots' tables. */
  add(offset: number, weight: number, isActive: boolean): void {
    if (isActive) {
      this.#budget.take(16, "L2 table");
      this.#active.push(offset);
      return;
    }
    const known = this.#snapshots.get(offset);
    if (known === undefined) this.#budget.take(48, "L2 table");
    this.#snapshots.set(offset, (known ?? 0) + weight);
  }

  /** Whether a misaligned table may be followed: there can be more of them than the file has clusters. */
  takeMisaligned(offset: number): boolean {
    if (this.#misaligned.size < maxMisaligned) this.#misaligned.add(offset);
    return this.#misaligned.has(offset);
  }

  /** Every table, in file order. */
  *tables(): Generator<L2Table> {
    const active = Float64Array.from(this.#active).sort();
    const snapshots = Float64Array.from(this.#snapshots.keys()).sort();
    let a = 0;
    let s = 0;
    while (a < active.length || s < snapshots.length) {
      const offset = Math.min(active[a] ?? Infinity, snapshots[s] ?? Infinity);
      const first = a;
      while (active[a] === offset) a++;
      let snapshotWeight = 0;
      if (snapshots[s] === offset) {
        snapshotWeight = this.#snapshots.get(offset) ?? 0;
        s++;
      }
      yield { offset, activeWeight: a - first, snapshotWeight };
    }
  }
}
