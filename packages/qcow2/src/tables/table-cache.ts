import { viewOf } from "../bytes/big-endian.ts";
import type { SourceReader } from "../bytes/source-reader.ts";
import { Qcow2Error, type Qcow2Structure } from "../errors.ts";

const maxSliceBytes = 65536;
const minSlices = 4;

/** A changed part of a table that is not yet in the file. */
export interface TableEdit {
  /** Which table. */
  readonly structure: Qcow2Structure;
  /** First byte of the slice in the image file. */
  readonly start: number;
  /** First changed byte within the slice. */
  readonly from: number;
  /** End of the changed bytes within the slice. */
  readonly to: number;
  /** The slice. */
  readonly slice: DataView;
}

/** A slice that is being read. */
interface LoadingSlice {
  readonly view: Promise<DataView>;
  /** Told that the table was replaced or is none any more: what the file had there must not be kept. */
  readonly forget: () => void;
}

/** A slice in memory. */
interface CachedSlice {
  readonly view: DataView;
  /** Whether it was used since it was last looked at for dropping: it gets another round then. */
  isUsed: boolean;
}

/**
 * Keeps slices of L1 and L2 tables in memory, at most a given number of bytes, and drops those that were not used lately.
 *
 * A slice starts at a multiple of its length in the image file, so one offset is always in one slice.
 */
export class TableCache {
  /** Bytes of a slice: a cluster, at most 64 KiB. */
  readonly sliceBytes: number;
  readonly #reader: SourceReader;
  readonly #maxSlices: number;
  readonly #readsPastEnd: boolean;
  readonly #slices = new Map<number, CachedSlice>();
  readonly #loading = new Map<number, LoadingSlice>();
  readonly #edits = new Map<number, TableEdit>();
  #lastOffset = -1;
  #last: DataView | undefined;
  #version = 0;

  /**
   * @param readsPastEnd - Whether a table that is cut by the end of the file reads as zeros there, as in QEMU.
   */
  constructor(
    reader: SourceReader,
    clusterSize: number,
    budgetBytes: number,
    readsPastEnd: boolean,
  ) {
    this.#reader = reader;
    this.sliceBytes = Math.min(clusterSize, maxSliceBytes);
    this.#maxSlices = Math.max(minSlices, Math.floor(budgetBytes / this.sliceBytes));
    this.#readsPastEnd = readsPastEnd;
  }

  /** The slice that holds a byte offset of the image file, when it is in memory. */
  peek(offset: number): DataView | undefined {
    const start = offset - (offset % this.sliceBytes);
    if (start === this.#lastOffset) return this.#last;
    const slice = this.#slices.get(start);
    if (slice === undefined) return undefined;
    slice.isUsed = true;
    this.#lastOffset = start;
    this.#last = slice.view;
    return slice.view;
  }

  /** Whether the slice that starts at an offset is in memory or on its way. */
  has(start: number): boolean {
    return this.#slices.has(start) || this.#loading.has(start);
  }

  /** Brings the slice that holds a byte offset into memory. Loads that overlap in time share one read. */
  async load(offset: number, structure: Qcow2Structure): Promise<DataView> {
    const start = offset - (offset % this.sliceBytes);
    const known = this.#slices.get(start)?.view ?? this.#loading.get(start)?.view;
    if (known !== undefined) return known;
    let isKept = true;
    const view = this.#read(start, structure, () => isKept).finally(() => {
      if (isKept) this.#loading.delete(start);
    });
    const forget = (): void => {
      isKept = false;
      this.#loading.delete(start);
    };
    this.#loading.set(start, { view, forget });
    return view;
  }

  /** Another number after each change of a table: a slice that was got before may be out of date then. */
  get version(): number {
    return this.#version;
  }

  /** How many slices hold changes. */
  get editedSlices(): number {
    return this.#edits.size;
  }

  /** How many slices the cache may hold. */
  get maxSlices(): number {
    return this.#maxSlices;
  }

  /**
   * Says that `length` bytes at an offset are about to change in a slice that was got from here. Reads may have dropped it
   * meanwhile; from now on it stays until it is written.
   */
  edit(slice: DataView, offset: number, length: number, structure: Qcow2Structure): void {
    const start = offset - (offset % this.sliceBytes);
    this.#version++;
    if (this.#slices.get(start)?.view !== slice) this.#put(start, slice);
    const within = offset - start;
    const { from, to } = this.#edits.get(start) ?? { from: within, to: within };
    this.#edits.set(start, {
      structure,
      start,
      from: Math.min(from, within),
      to: Math.max(to, within + length),
      slice,
    });
  }

  /** Puts a new table in place of whatever the file has there. All of it counts as changed. */
  adopt(offset: number, bytes: Uint8Array, structure: Qcow2Structure): void {
    for (let at = 0; at < bytes.byteLength; at += this.sliceBytes) {
      // A copy, so that one slice of a large table does not keep all of it in memory.
      const view = viewOf(bytes.slice(at, at + this.sliceBytes));
      this.edit(view, offset + at, view.byteLength, structure);
    }
  }

  /** The changes of one kind of table, in file order. */
  edits(structure: Qcow2Structure): TableEdit[] {
    return [...this.#edits.values()]
      .filter((edit) => edit.structure === structure)
      .sort((a, b) => a.start - b.start);
  }

  /** Told that a change is in the file, unless it changed again since. */
  wasWritten(edit: TableEdit): void {
    if (this.#edits.get(edit.start) === edit) this.#edits.delete(edit.start);
  }

  /** Forgets a table that is no longer one, with its changes. */
  forget(offset: number, length: number): void {
    this.#version++;
    for (let at = offset; at < offset + length; at += this.sliceBytes) {
      this.#loading.get(at)?.forget();
      this.#slices.delete(at);
      this.#edits.delete(at);
    }
    this.#lastOffset = -1;
  }

  /** Forgets everything. Only when nothing is changed. */
  clear(): void {
    if (this.#edits.size > 0) throw new Error("tables with changes must not be forgotten");
    this.#version++;
    for (const { forget } of this.#loading.values()) forget();
    this.#slices.clear();
    this.#lastOffset = -1;
  }

  async #read(start: number, structure: Qcow2Structure, isKept: () => boolean): Promise<DataView> {
    const found = await this.#reader.readAvailable(start, this.sliceBytes);
    let bytes = found;
    if (found.byteLength < this.sliceBytes) {
      // An L1 table may end with the file; L2 tables are whole clusters.
      if (structure === "L2 table" && !this.#readsPastEnd) throw cutTable(start, this.#reader);
      bytes = new Uint8Array(this.sliceBytes);
      bytes.set(found);
    }
    const view = viewOf(bytes);
    if (!isKept()) return view;
    this.#makeRoom();
    this.#slices.set(start, { view, isUsed: false });
    return view;
  }

  /** Puts a slice in place of what is in memory or on its way. */
  #put(start: number, view: DataView): void {
    this.#loading.get(start)?.forget();
    this.#makeRoom();
    this.#slices.set(start, { view, isUsed: true });
    this.#lastOffset = -1;
  }

  /** Drops slices for one that comes. */
  #makeRoom(): void {
    // Changed slices stay. Beside them an L1 and an L2 table must find room at once, or each would drop the other for ever.
    const most = Math.max(this.#maxSlices, this.#edits.size + minSlices);
    while (this.#slices.size >= most) this.#dropOne();
  }

  /** Drops the first slice that was not used since the last time round; used ones go to the back. */
  #dropOne(): void {
    for (let left = this.#slices.size * 2; left > 0; left--) {
      const [start, slice] = this.#slices.entries().next().value as [number, CachedSlice];
      this.#slices.delete(start);
      if (start === this.#lastOffset) this.#lastOffset = -1;
      if (!slice.isUsed && !this.#edits.has(start)) return;
      slice.isUsed = false;
      this.#slices.set(start, slice);
    }
  }
}

function cutTable(offset: number, reader: SourceReader): Qcow2Error {
  return new Qcow2Error({
    code: offset >= reader.sizeBytes ? "QCOW2_OUT_OF_FILE" : "QCOW2_TRUNCATED",
    message: `the L2 table at byte ${offset} runs past the end of the file (${reader.sizeBytes})`,
    offset,
    structure: "L2 table",
  });
}
