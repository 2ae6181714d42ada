import { crc32c } from "./crc32c.ts";
import { blockBytes } from "./numbers.ts";

/** `eh_magic`. */
export const extentMagic = 0xf30a;
/** A header, an extent and a pointer all have this size. */
export const extentBytes = 12;

/** Writes the header of a node. */
export function writeExtentHeader(
  view: DataView,
  at: number,
  header: { readonly entries: number; readonly max: number; readonly depth: number },
): void {
  view.setUint16(at, extentMagic, true);
  view.setUint16(at + 2, header.entries, true);
  view.setUint16(at + 4, header.max, true);
  view.setUint16(at + 6, header.depth, true);
}

/** Writes an extent as the entry `index` of the node at `at`. Block numbers have at most 32 bits. */
export function writeExtent(
  view: DataView,
  at: number,
  index: number,
  extent: { readonly logical: number; readonly physical: number; readonly length: number },
): void {
  const entry = at + extentBytes * (index + 1);
  view.setUint32(entry, extent.logical, true);
  view.setUint16(entry + 4, extent.length, true);
  view.setUint32(entry + 8, extent.physical, true);
}

/** Writes a pointer to a node below as the entry `index` of the node at `at`. */
export function writeExtentPointer(
  view: DataView,
  at: number,
  index: number,
  pointer: { readonly logical: number; readonly block: number },
): void {
  const entry = at + extentBytes * (index + 1);
  view.setUint32(entry, pointer.logical, true);
  view.setUint32(entry + 4, pointer.block, true);
}

/** Completes a node that fills a block with its checksum, which stands behind the last possible entry. */
export function sealExtentBlock(block: Uint8Array, inodeSeed: number): void {
  const at = blockBytes - (blockBytes % extentBytes);
  const view = new DataView(block.buffer, block.byteOffset, blockBytes);
  view.setUint32(at, crc32c(inodeSeed, block, 0, at), true);
}
