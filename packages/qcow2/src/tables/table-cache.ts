import { viewOf } from "../bytes/big-endian.ts";
import type { SourceReader } from "../bytes/source-reader.ts";
import { Qcow2Error, type Qcow2Structure } from "../errors.ts";

const maxSliceBytes = 65536;

/**
 * Keeps slices of L1 and L2 tables in memory, at most a given number of bytes, and drops those that were used longest ago.
 *
 * A slice starts at a multiple of its length in the image file, so one offset is always in one slice.
 */
export class TableCache {
  /** Bytes of a slice: a cluster, at most 64 KiB. */
  readonly sliceBytes: number;
  readonly #reader: SourceReader;
  readonly #maxSlices: number;
  readonly #readsPastEnd: boolean;
  readonly #slices = new Map<number, DataView>();
  readonly #loading = new Map<number, Promise<DataView>>();
  #lastOffset = -1;
  #last: DataView | undefined;

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
    this.#maxSlices = Math.max(4, Math.floor(budgetBytes / this.sliceBytes));
    this.#readsPastEnd = readsPastEnd;
  }

  /** The slice that holds a byte offset of the image file, when it is in memory. */
  peek(offset: number): DataView | undefined {
    const start = offset - (offset % this.sliceBytes);
    if (start === this.#lastOffset) return this.#last;
    const slice = this.#slices.get(start);
    if (slice === undefined) return undefined;
    this.#slices.delete(start);
    this.#slices.set(start, slice);
    this.#lastOffset = start;
    this.#last = slice;
    return slice;
  }

  /** Brings the slice that holds a byte offset into memory. Loads that overlap in time share one read. */
  async load(offset: number, structure: Qcow2Structure): Promise<DataView> {
    const start = offset - (offset % this.sliceBytes);
    const known = this.#slices.get(start) ?? this.#loading.get(start);
    if (known !== undefined) return known;
    const loading = this.#read(start, structure).finally(() => this.#loading.delete(start));
    this.#loading.set(start, loading);
    return loading;
  }

  /** Forgets every slice; for a writer that changed tables behind the cache. */
  clear(): void {
    this.#slices.clear();
    this.#lastOffset = -1;
    this.#last = undefined;
  }

  async #read(start: number, structure: Qcow2Structure): Promise<DataView> {
    const found = await this.#reader.readAvailable(start, this.sliceBytes);
    let bytes = found;
    if (found.byteLength < this.sliceBytes) {
      // An L1 table may end with the file; L2 tables are whole clusters.
      if (structure === "L2 table" && !this.#readsPastEnd) throw cutTable(start, this.#reader);
      bytes = new Uint8Array(this.sliceBytes);
      bytes.set(found);
    }
    const slice = viewOf(bytes);
    this.#slices.set(start, slice);
    if (this.#slices.size > this.#maxSlices) {
      const [oldest] = this.#slices.keys();
      if (oldest !== undefined) this.#slices.delete(oldest);
      if (oldest === this.#lastOffset) this.#lastOffset = -1;
    }
    return slice;
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
