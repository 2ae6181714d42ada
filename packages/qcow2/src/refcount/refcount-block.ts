import { readU64, viewOf, writeU64 } from "../bytes/big-endian.ts";

/** Entries of a refcount block. */
export function refcountsPerBlock(clusterBits: number, refcountOrder: number): number {
  return 2 ** (clusterBits + 3 - refcountOrder);
}

/**
 * Reads one refcount of a block. Widths below 8 bits start in the least significant bits of a byte.
 *
 * @returns The refcount; 64-bit ones above 2^53 are rounded.
 * @see qcow2 specification, "Refcount block entry"
 */
export function readRefcount(view: DataView, index: number, refcountOrder: number): number {
  switch (refcountOrder) {
    case 3:
      return view.getUint8(index);
    case 4:
      return view.getUint16(index * 2);
    case 5:
      return view.getUint32(index * 4);
    case 6:
      return readU64(view, index * 8);
    default: {
      const perByteBits = 3 - refcountOrder;
      const byte = view.getUint8(index >> perByteBits);
      const width = 1 << refcountOrder;
      const shift = (index & ((1 << perByteBits) - 1)) * width;
      return (byte >> shift) & ((1 << width) - 1);
    }
  }
}

/** Writes one refcount of a block; the reverse of {@link readRefcount}. */
export function writeRefcount(
  block: Uint8Array,
  index: number,
  refcountOrder: number,
  value: number,
): void {
  const view = viewOf(block);
  switch (refcountOrder) {
    case 3:
      view.setUint8(index, value);
      break;
    case 4:
      view.setUint16(index * 2, value);
      break;
    case 5:
      view.setUint32(index * 4, value);
      break;
    case 6:
      writeU64(view, index * 8, value);
      break;
    default: {
      const perByteBits = 3 - refcountOrder;
      const width = 1 << refcountOrder;
      const at = index >> perByteBits;
      const shift = (index & ((1 << perByteBits) - 1)) * width;
      const mask = ((1 << width) - 1) << shift;
      view.setUint8(at, (view.getUint8(at) & ~mask) | ((value << shift) & mask));
    }
  }
}
