import type { Geometry } from "./geometry.ts";

/** Hands out the blocks between a geometry's tables, in order and without gaps. */
export class FreeSpace {
  readonly #starts: Float64Array;
  readonly #ends: Float64Array;
  #region = 0;
  #cursor = 0;

  constructor(geometry: Geometry) {
    this.#starts = geometry.regionStarts;
    this.#ends = geometry.regionEnds;
    this.#skipRegion();
  }

  /** The first block that is still free: every block before it is taken. */
  get end(): number {
    return this.#cursor;
  }

  /** Blocks that lie free in one piece from here on. */
  get contiguous(): number {
    return (this.#starts[this.#region] ?? Number.POSITIVE_INFINITY) - this.#cursor;
  }

  /** Takes `blocks`, no more than are {@link contiguous}, and returns the first. */
  take(blocks: number): number {
    const start = this.#cursor;
    this.#cursor += blocks;
    this.#skipRegion();
    return start;
  }

  #skipRegion(): void {
    if (this.#starts[this.#region] !== this.#cursor) return;
    this.#cursor = this.#ends[this.#region] as number;
    this.#region++;
  }
}
