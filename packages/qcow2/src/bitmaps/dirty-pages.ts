import { setBits } from "./bits.ts";
import type { BitmapEntry } from "./parse.ts";

/** What was written to a disk since its bitmap was last stored: bits in memory, in pages of one cluster each. */
export class DirtyPages {
  /** The bitmap that they belong to. */
  readonly entry: BitmapEntry;
  readonly #granularity: number;
  readonly #bitsPerPage: number;
  readonly #pageBytes: number;
  readonly #pages = new Map<number, Uint8Array>();

  constructor(entry: BitmapEntry, clusterSize: number) {
    this.entry = entry;
    this.#granularity = 2 ** entry.granularityBits;
    this.#pageBytes = clusterSize;
    this.#bitsPerPage = clusterSize * 8;
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

  /** The pages, in order. */
  inOrder(): [number, Uint8Array][] {
    return [...this.#pages].sort(([a], [b]) => a - b);
  }

  /** Told that all of them are stored. */
  wereStored(): void {
    this.#pages.clear();
  }
}
