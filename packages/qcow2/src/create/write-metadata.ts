import { viewOf, writeU64 } from "../bytes/big-endian.ts";
import { refcountsPerBlock, writeRefcount } from "../refcount/refcount-block.ts";
import { copiedFlagHigh } from "../tables/l1-entry.ts";
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

/** The L1 table of a fresh image whose L2 tables are all made. */
export function* l1Pieces(layout: ImageLayout): Generator<ImagePiece> {
  const perPiece = 65536;
  for (let first = 0; first < layout.l2Tables; first += perPiece) {
    const count = Math.min(perPiece, layout.l2Tables - first);
    const bytes = new Uint8Array(count * 8);
    const view = viewOf(bytes);
    for (let index = 0; index < count; index++) {
      const offset = layout.l2Offset + (first + index) * layout.clusterSizeBytes;
      writeCopiedEntry(view, index * 8, offset);
    }
    yield { offset: layout.l1Offset + first * 8, bytes };
  }
}

/**
 * The L2 tables of a fresh image in which every cluster has its place: one behind the other in the image, or at its own
 * offset in an external data file. With extended entries no subcluster is allocated, so that a backing file shows through.
 */
export function* l2Pieces(
  layout: ImageLayout,
  hasExtendedL2: boolean,
  hasDataFile: boolean,
): Generator<ImagePiece> {
  const { clusterSizeBytes, guestClusters, dataOffset } = layout;
  const entryBytes = hasExtendedL2 ? 16 : 8;
  const entries = clusterSizeBytes / entryBytes;
  for (let table = 0; table < layout.l2Tables; table++) {
    const bytes = new Uint8Array(clusterSizeBytes);
    const view = viewOf(bytes);
    const first = table * entries;
    const count = Math.min(entries, guestClusters - first);
    for (let index = 0; index < count; index++) {
      const guestOffset = (first + index) * clusterSizeBytes;
      const offset = hasDataFile ? guestOffset : dataOffset + guestOffset;
      writeCopiedEntry(view, index * entryBytes, offset);
    }
    yield { offset: layout.l2Offset + table * clusterSizeBytes, bytes };
  }
}

/** An L1 or L2 entry whose cluster has refcount 1: the offset and bit 63. */
function writeCopiedEntry(view: DataView, position: number, offset: number): void {
  writeU64(view, position, offset);
  view.setUint32(position, (view.getUint32(position) | copiedFlagHigh) >>> 0);
}
