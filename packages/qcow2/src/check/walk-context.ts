import type { MemoryBudget } from "../bytes/budget.ts";
import { type SourceReader, throwIfAborted } from "../bytes/source-reader.ts";
import { Qcow2Error, type Qcow2Structure } from "../errors.ts";
import type { HeaderArea } from "../inspect/read-header.ts";
import type { L2Format } from "../tables/l2-entry.ts";
import { type FindingSink, reportError } from "./finding.ts";
import { ReferenceMap, structureOfUse } from "./reference-map.ts";

/** Limits on one walk over an image's metadata. */
export interface WalkLimits {
  /** Ends the walk with `QCOW2_ABORTED`. */
  readonly signal?: AbortSignal | undefined;
  /** Asked between tables; `true` ends the walk with `QCOW2_DEADLINE`. */
  readonly deadline?: (() => boolean) | undefined;
}

/** What every step of a walk over an image's metadata needs, and how it counts references. */
export class WalkContext {
  /** The image file. */
  readonly reader: SourceReader;
  /** Its header. */
  readonly area: HeaderArea;
  /** How its L2 entries are read. */
  readonly format: L2Format;
  /** References seen so far. */
  readonly references: ReferenceMap;
  /** Memory that the walk may take. */
  readonly budget: MemoryBudget;
  /** Takes what the walk finds. */
  readonly sink: FindingSink;
  readonly #limits: WalkLimits;

  constructor(
    reader: SourceReader,
    area: HeaderArea,
    format: L2Format,
    budget: MemoryBudget,
    sink: FindingSink,
    limits: WalkLimits,
  ) {
    this.reader = reader;
    this.area = area;
    this.format = format;
    this.budget = budget;
    this.sink = sink;
    this.references = new ReferenceMap(budget);
    this.#limits = limits;
  }

  /** Bytes of a cluster. */
  get clusterSize(): number {
    return 2 ** this.format.clusterBits;
  }

  /** Ends the walk when its caller has given up or its time is over. */
  pause(): void {
    throwIfAborted(this.#limits.signal);
    if (this.#limits.deadline?.()) {
      throw new Qcow2Error({
        code: "QCOW2_DEADLINE",
        message: "the check took longer than it was given",
      });
    }
  }

  /**
   * Counts references to every cluster that a range touches. A range that begins in a cluster past the end of the file
   * is an error and not counted; the last cluster of a file may be cut.
   *
   * @param from - Where the reference stands, for the finding.
   */
  addRange(offset: number, lengthBytes: number, use: number, weight: number, from: number): void {
    if (lengthBytes === 0) return;
    const { clusterSize } = this;
    if (offset + lengthBytes - this.reader.sizeBytes >= clusterSize) {
      this.outOfFile(use, offset, lengthBytes, from);
      return;
    }
    const last = Math.floor((offset + lengthBytes - 1) / clusterSize);
    for (let cluster = Math.floor(offset / clusterSize); cluster <= last; cluster++) {
      const clash = this.references.add(cluster, use, weight);
      if (clash !== 0) this.#overlap(cluster * clusterSize, clash, use);
    }
  }

  /** Counts references to one aligned cluster. */
  addCluster(offset: number, use: number, weight: number, from: number): void {
    if (offset >= this.reader.sizeBytes) {
      this.outOfFile(use, offset, this.clusterSize, from);
      return;
    }
    const clash = this.references.add(offset / this.clusterSize, use, weight);
    if (clash !== 0) this.#overlap(offset, clash, use);
  }

  /** Reports an offset that is not a multiple of the cluster size. */
  misaligned(structure: Qcow2Structure, offset: number, from: number): void {
    reportError(
      this.sink,
      "QCOW2_MISALIGNED",
      structure,
      from,
      `the entry at byte ${from} puts a ${structure} at byte ${offset}, which is not a multiple of ${this.clusterSize}`,
    );
  }

  /** Reports reserved bits that are set. */
  reservedBits(structure: Qcow2Structure, from: number): void {
    reportError(
      this.sink,
      "QCOW2_RESERVED_BITS",
      structure,
      from,
      `the ${structure} entry at byte ${from} has reserved bits set`,
    );
  }

  /** Reports a reference past the end of the file. */
  outOfFile(use: number, offset: number, lengthBytes: number, from: number): void {
    const structure = structureOfUse(use);
    reportError(
      this.sink,
      "QCOW2_OUT_OF_FILE",
      structure,
      from,
      `the entry at byte ${from} puts a ${structure} of ${lengthBytes} bytes at byte ${offset}, past the end of the file (${this.reader.sizeBytes})`,
    );
  }

  #overlap(offset: number, known: number, use: number): void {
    const structure = structureOfUse(use);
    reportError(
      this.sink,
      "QCOW2_OVERLAP",
      structure,
      offset,
      `the cluster at byte ${offset} is a ${structure} and a ${structureOfUse(known)} at once`,
    );
  }
}
