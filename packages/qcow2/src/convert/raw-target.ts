import type { RandomAccess } from "@box/io";
import { prepareTarget, writePieces } from "../create/target.ts";
import type { SourceChunk } from "./source-chunks.ts";
import { dataRanges, zeroBlockBytes } from "./zero-blocks.ts";

/** Writes a disk as a raw file; blocks of zeros stay holes where the target can be truncated. */
export class RawTarget {
  /** Chunks may start at any multiple of this. */
  readonly alignBytes: number = zeroBlockBytes;
  readonly #target: RandomAccess;

  private constructor(target: RandomAccess) {
    this.#target = target;
  }

  /** Makes an empty file as long as the disk. */
  static async create(target: RandomAccess, sizeBytes: number): Promise<RawTarget> {
    await prepareTarget(target, sizeBytes);
    return new RawTarget(target);
  }

  /** Takes a chunk; the order does not matter. */
  async write({ start, bytes }: SourceChunk): Promise<void> {
    const ranges = dataRanges(bytes, zeroBlockBytes);
    await writePieces(
      this.#target,
      ranges.map(({ from, to }) => ({ offset: start + from, bytes: bytes.subarray(from, to) })),
    );
  }

  /** Nothing is left to do. */
  async finish(): Promise<void> {}
}
