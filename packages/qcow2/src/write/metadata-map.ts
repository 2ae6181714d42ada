import type { MemoryBudget } from "../bytes/budget.ts";
import { Qcow2Error, type Qcow2Structure } from "../errors.ts";

/** Memory that one cluster of the map is taken to need. */
const entryBytes = 48;

/** Knows which clusters of an image file hold metadata, so that nothing else is ever written there. */
export class MetadataMap {
  readonly #owners = new Map<number, Qcow2Structure>();
  readonly #clusterSize: number;
  readonly #budget: MemoryBudget;

  constructor(clusterSize: number, budget: MemoryBudget) {
    this.#clusterSize = clusterSize;
    this.#budget = budget;
  }

  /** Says that a range holds a structure. A range that holds another one is `QCOW2_OVERLAP`; nothing is claimed then. */
  claim(offset: number, length: number, structure: Qcow2Structure): void {
    const { first, end } = this.#clusters(offset, length);
    for (let cluster = first; cluster < end; cluster++) {
      const owner = this.#owners.get(cluster);
      const isShared = owner === "snapshot L1 table" && structure === owner;
      if (owner !== undefined && !isShared) {
        throw overlap(cluster * this.#clusterSize, structure, owner);
      }
    }
    this.#budget.take((end - first) * entryBytes, structure);
    for (let cluster = first; cluster < end; cluster++) this.#owners.set(cluster, structure);
  }

  /** Whether a range holds a structure, all of it. */
  holds(offset: number, length: number, structure: Qcow2Structure): boolean {
    const { first, end } = this.#clusters(offset, length);
    for (let cluster = first; cluster < end; cluster++) {
      if (this.#owners.get(cluster) !== structure) return false;
    }
    return true;
  }

  /** Says that a range does not hold a structure any more. What else it holds, in a damaged image, it goes on to hold. */
  release(offset: number, length: number, structure: Qcow2Structure): void {
    const { first, end } = this.#clusters(offset, length);
    for (let cluster = first; cluster < end; cluster++) {
      if (this.#owners.get(cluster) !== structure) continue;
      this.#owners.delete(cluster);
      this.#budget.give(entryBytes);
    }
  }

  /** Refuses a write of a structure anywhere but to its own place, and of data to any metadata. */
  requireOwn(offset: number, length: number, structure: Qcow2Structure): void {
    const { first, end } = this.#clusters(offset, length);
    const expected = structure === "data cluster" ? undefined : structure;
    for (let cluster = first; cluster < end; cluster++) {
      const owner = this.#owners.get(cluster);
      if (owner !== expected) throw overlap(cluster * this.#clusterSize, structure, owner);
    }
  }

  #clusters(offset: number, length: number): { first: number; end: number } {
    const first = Math.floor(offset / this.#clusterSize);
    return { first, end: Math.ceil((offset + length) / this.#clusterSize) };
  }
}

function overlap(offset: number, structure: Qcow2Structure, owner?: Qcow2Structure): Qcow2Error {
  return new Qcow2Error({
    code: "QCOW2_OVERLAP",
    message: `the ${structure} at byte ${offset} lies where the image has ${owner === undefined ? "no metadata" : `its ${owner}`}`,
    offset,
    structure,
    details: { owner: owner ?? "none" },
  });
}
