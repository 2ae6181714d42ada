import { setBits } from "./bits.ts";
import type { BitmapEntry } from "./parse.ts";

/** Largest page: one write must not cost a whole cluster of memory for each bitmap. */
const maxPageBytes = 4096;

/** What was written to a disk since its bitmap was last stored: bits in memory, in pages of a cluster or of a part of one. */
export class DirtyPages {
  /** The bitmap that they belong to. */
  readonly entry: BitmapEntry;
  readonly #granularity: number;
  readonly #bitsPerPage: number;
  readonly #pageBytes: number;
  readonly #clusterSize: number;
  readonly #pages = new Map<number, Uint8Array>();

  constructor(entry: BitmapEntry, clusterSize: number) {
    this.entry = entry;
    this.#granularity = 2 ** entry.granularityBits;
    this.#clusterSize = clusterSize;
    this.#pageBytes = Math.min(clusterSize, maxPageBytes);
    this.#bitsPerPage = this.#pageBytes * 8;
  }

  /** Bytes of memory that they take. */
  get sizeBytes(): number {
    return this.#pages.size * this.#pageBytes;
  }

  /** Marks as much of a range as lies in one page, and says where to go on. */
  mark(start: number, end: number): number {
    const first = Math.floor(start / this.#granularity);
    const page = Math.floor(first / this.#bitsPerPage);
    const base = page * this.#bitsPerPage;
    const last = Math.min(Math.floor((end - 1) / this.#granularity), base + this.#bitsPerPage - 1);
    let bits = this.#pages.get(page);
    if (bits === undefined) {
      bits = new Uint8Array(this.#pageBytes);
      this.#pages.set(page, bits);
    }
    setBits(bits, first - base, last - base);
    return (last + 1) * this.#granularity;
  }

  /** The bits, a whole cluster of them at a time, and which cluster of the bitmap that is; in order. */
  *clusters(): Generator<[index: number, bits: Uint8Array]> {
    const perCluster = this.#clusterSize / this.#pageBytes;
    const numbers = [...this.#pages.keys()].sort((a, b) => a - b);
    for (let first = 0; first < numbers.length; ) {
      const index = Math.floor((numbers[first] as number) / perCluster);
      const bits = new Uint8Array(this.#clusterSize);
      for (; first < numbers.length; first++) {
        const page = numbers[first] as number;
        if (Math.floor(page / perCluster) !== index) break;
        const bytes = this.#pages.get(page) as Uint8Array;
        bits.set(bytes, (page % perCluster) * this.#pageBytes);
      }
      yield [index, bits];
    }
  }

  /** Told that all of them are stored. */
  wereStored(): void {
    this.#pages.clear();
  }
}
