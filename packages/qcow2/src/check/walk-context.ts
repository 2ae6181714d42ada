import type { MemoryBudget } from "../bytes/budget.ts";
import { type SourceReader, throwIfAborted } from "../bytes/source-reader.ts";
import { Qcow2Error, type Qcow2Structure } from "../errors.ts";
import type { HeaderArea } from "../inspect/read-header.ts";
import type { L2Format } from "../tables/l2-entry.ts";
import { type FindingSink, type Problem, reportError } from "./finding.ts";
import { clusterUse, ReferenceMap, structureOfUse } from "./reference-map.ts";
import { emptyTally, type Tally } from "./tally.ts";

/** Limits on one walk over an image's metadata. */
export interface WalkLimits {
  /** Ends the walk with `QCOW2_ABORTED`. */
  readonly signal?: AbortSignal | undefined;
  /** Asked between tables; `true` ends the walk with `QCOW2_DEADLINE`. */
  readonly deadline?: (() => boolean) | undefined;
  /** Told between tables how many bytes of tables were read. */
  readonly onProgress?: ((readBytes: number) => void) | undefined;
}

/** How many times over the entries that the file has room for are looked at, and how many more. */
const entriesPerRoom = 4;
const spareEntries = 2 ** 20;

/** Told during a walk where a repair may change one entry of a table. */
export interface RepairHooks {
  /** An entry of the active disk whose copied bit is wrong. */
  wrongCopiedBit?(entryAt: number, tableOffset: number): void;
  /** An L2 entry that reads as zeros whatever its pointer says, and whose pointer is damaged. */
  uselessPointer?(entryAt: number, tableOffset: number): void;
}

/**
 * What every step of a walk over an image's metadata needs, and how it counts references.
 *
 * After a finding a walk goes on as QEMU 7.2 does, so that its counts are QEMU's: references are counted where they
 * point, and what is past the end of the file reads as zeros.
 */
export class WalkContext {
  /** The image file. */
  readonly reader: SourceReader;
  /** Its header. */
  readonly area: HeaderArea;
  /** How its L2 entries are read. */
  readonly format: L2Format;
  /** Bytes of a cluster. */
  readonly clusterSize: number;
  /** References seen so far. */
  readonly references: ReferenceMap;
  /** Memory that the walk may take. */
  readonly budget: MemoryBudget;
  /** Takes what the walk finds. */
  readonly sink: FindingSink;
  /** What the walk counts. */
  readonly tally: Tally = emptyTally();
  /** Whether any entry points past the end of the file: its copied bit is then compared with a refcount that is looked up. */
  hasPastEnd = false;
  /** Told where a repair may change an entry. */
  readonly hooks: RepairHooks;
  /** How often the table that is walked is referenced: what is found in it counts as often. */
  weight = 1;
  readonly #limits: WalkLimits;
  #readBytes = 0;
  #lookedAtEntries = 0;

  constructor(
    reader: SourceReader,
    area: HeaderArea,
    format: L2Format,
    budget: MemoryBudget,
    sink: FindingSink,
    limits: WalkLimits,
    hooks: RepairHooks = {},
  ) {
    this.reader = reader;
    this.area = area;
    this.format = format;
    this.clusterSize = 2 ** format.clusterBits;
    this.budget = budget;
    this.sink = sink;
    this.references = new ReferenceMap(budget);
    this.#limits = limits;
    this.hooks = hooks;
  }

  /** Ends the walk when its caller has given up or its time is over. */
  pause(): void {
    throwIfAborted(this.#limits.signal);
    this.#limits.onProgress?.(this.#readBytes);
    if (this.#limits.deadline?.()) {
      throw new Qcow2Error({
        code: "QCOW2_DEADLINE",
        message: "the check took longer than it was given",
      });
    }
  }

  /** Reads a part of a table; what the file does not have of it is zeros. */
  async readPadded(offset: number, lengthBytes: number): Promise<Uint8Array> {
    if (offset >= this.reader.sizeBytes) return new Uint8Array(lengthBytes);
    const found = await this.reader.readAvailable(offset, lengthBytes);
    this.#readBytes += found.byteLength;
    if (found.byteLength === lengthBytes) return found;
    const padded = new Uint8Array(lengthBytes);
    padded.set(found);
    return padded;
  }

  /**
   * Counts entries of tables that are read as often as something names them. Tables of a sound image lie beside each other;
   * a small file in which thousands of them lie on each other would keep the walk busy for hours.
   *
   * @throws Qcow2Error `QCOW2_METADATA_LIMIT` for several times as many as the file has room for.
   */
  countEntries(entries: number): void {
    this.#lookedAtEntries += entries;
    const most = spareEntries + entriesPerRoom * (this.reader.sizeBytes / 8);
    if (this.#lookedAtEntries <= most) return;
    throw new Qcow2Error({
      code: "QCOW2_METADATA_LIMIT",
      message: `the tables of the image lie on each other: they have more entries than ${entriesPerRoom} files of ${this.reader.sizeBytes} bytes`,
      hint: "nothing was changed; no program makes such an image: restore it from a backup",
    });
  }

  /** Bytes of a range that the file has. */
  insideFile(offset: number, lengthBytes: number): number {
    return Math.max(0, Math.min(lengthBytes, this.reader.sizeBytes - offset));
  }

  /**
   * Counts references to every cluster that a range touches. A range that ends a cluster or more past the end of the
   * file is an error and not counted; the last cluster of a file may be cut.
   *
   * @param from - Where the reference stands, for the finding.
   */
  addRange(offset: number, lengthBytes: number, use: number, weight: number, from: number): void {
    if (lengthBytes === 0) return;
    const { clusterSize } = this;
    if (this.isPastEnd(offset, lengthBytes)) {
      this.outOfFile(use, offset, lengthBytes, from, weight);
      return;
    }
    const last = Math.floor((offset + lengthBytes - 1) / clusterSize);
    for (let cluster = Math.floor(offset / clusterSize); cluster <= last; cluster++) {
      const clash = this.references.add(cluster, use, weight);
      if (clash !== 0) this.overlap(cluster * clusterSize, clash, use);
    }
  }

  /** Counts references to one aligned cluster. */
  addCluster(offset: number, use: number, weight: number, from: number): void {
    if (offset >= this.reader.sizeBytes) {
      const isCut = !this.isPastEnd(offset, this.clusterSize);
      this.outOfFile(use, offset, this.clusterSize, from, isCut ? 0 : weight);
      if (!isCut) return;
    }
    const clash = this.references.add(offset / this.clusterSize, use, weight);
    if (clash !== 0) this.overlap(offset, clash, use);
  }

  /** Counts a misaligned cluster: it touches two, and its entry makes a claim about the first. */
  addMisaligned(offset: number, use: number, weight: number, from: number): void {
    this.addRange(offset, this.clusterSize, use, weight, from);
    if (!this.isPastEnd(offset, this.clusterSize)) {
      this.references.add(Math.floor(offset / this.clusterSize), use, 0);
    }
  }

  /** Reports what is wrong with an entry; it counts as often as the table that it stands in. */
  report(problem: Problem, corruptions: number = this.weight): void {
    reportError(this.sink, problem, corruptions);
  }

  /** Reports an offset that is not a multiple of the cluster size. */
  misaligned(structure: Qcow2Structure, offset: number, from: number): void {
    this.report({
      code: "QCOW2_MISALIGNED",
      structure,
      offset: from,
      message: `the entry at byte ${from} puts a ${structure} at byte ${offset}, which is not a multiple of ${this.clusterSize}`,
    });
  }

  /**
   * Reports reserved bits that are set.
   *
   * @param passesQemu - Whether QEMU's check does not know the rule.
   */
  reservedBits(structure: Qcow2Structure, from: number, passesQemu = false): void {
    const message = `the ${structure} entry at byte ${from} has reserved bits set`;
    const problem = { code: "QCOW2_RESERVED_BITS", structure, offset: from, message } as const;
    this.report(problem, passesQemu ? 0 : this.weight);
  }

  /** Reports a reference past the end of the file. */
  outOfFile(
    use: number,
    offset: number,
    lengthBytes: number,
    from: number,
    corruptions: number,
  ): void {
    this.hasPastEnd = true;
    const structure = structureOfUse(use);
    const message = `the entry at byte ${from} puts a ${structure} of ${lengthBytes} bytes at byte ${offset}, past the end of the file (${this.reader.sizeBytes})`;
    this.report({ code: "QCOW2_OUT_OF_FILE", structure, offset: from, message }, corruptions);
  }

  /** Reports a cluster that is two things at once. QEMU knows it only by its refcount, except for refcount blocks. */
  overlap(offset: number, known: number, use: number): void {
    const structure = structureOfUse(use);
    const message = `the cluster at byte ${offset} is a ${structure} and a ${structureOfUse(known)} at once`;
    this.report({ code: "QCOW2_OVERLAP", structure, offset, message }, 0);
  }

  /** Whether QEMU, which rounds the file's size up to 512 bytes, finds a range past the end of the file. */
  isPastEnd(offset: number, lengthBytes: number): boolean {
    const fileSize = Math.ceil(this.reader.sizeBytes / 512) * 512;
    return offset + lengthBytes - fileSize >= this.clusterSize;
  }

  /** The use of an entry's target, with what the entry claims about its refcount. */
  claimed(use: number, isCopied: boolean): number {
    return use | (isCopied ? clusterUse.claimedCopied : clusterUse.claimedShared);
  }
}
