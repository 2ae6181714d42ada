import { viewOf, writeU64 } from "../bytes/big-endian.ts";
import { refcountsPerBlock, writeRefcount } from "../refcount/refcount-block.ts";
import type { ImageLayout } from "./plan-layout.ts";

/** Bytes that go to one place of a fresh image. */
export interface ImagePiece {
  /** First byte. */
  readonly offset: number;
  /** What goes there. */
  readonly bytes: Uint8Array;
}

/**
 * The refcount table and blocks of a fresh image in which the first `usedClusters` clusters are used once. Only bytes
 * that are not zero: what is left out reads as zeros.
 */
export function* refcountPieces(
  layout: ImageLayout,
  clusterBits: number,
  refcountOrder: number,
): Generator<ImagePiece> {
  const table = new Uint8Array(layout.refcountBlocks * 8);
  const view = viewOf(table);
  for (let index = 0; index < layout.refcountBlocks; index++) {
    writeU64(view, index * 8, layout.refcountBlocksOffset + index * layout.clusterSizeBytes);
  }
  yield { offset: layout.refcountTableOffset, bytes: table };
  const perBlock = refcountsPerBlock(clusterBits, refcountOrder);
  for (let index = 0; index < layout.refcountBlocks; index++) {
    const used = Math.min(perBlock, layout.usedClusters - index * perBlock);
    if (used <= 0) return;
    yield {
      offset: layout.refcountBlocksOffset + index * layout.clusterSizeBytes,
      bytes: filledBlock(used, refcountOrder),
    };
  }
}

function filledBlock(used: number, refcountOrder: number): Uint8Array {
  const bytes = new Uint8Array(Math.ceil((used * 2 ** refcountOrder) / 8));
  for (let index = 0; index < used; index++) writeRefcount(bytes, index, refcountOrder, 1);
  return bytes;
}
