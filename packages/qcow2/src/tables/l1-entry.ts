const two32 = 2 ** 32;

/** Bit 63 of an L1 or L2 entry, in its high word: the refcount is exactly 1. */
export const copiedFlagHigh = 0x80000000;

/** The host offset of an L1, L2 or refcount table entry: bits 9 to 55, given as two words. */
export function entryOffset(high: number, low: number): number {
  return (high & 0x00ffffff) * two32 + ((low & 0xfffffe00) >>> 0);
}

/** Whether bits 0 to 8 or 56 to 62 of an L1 entry are set. */
export function hasReservedL1Bits(high: number, low: number): boolean {
  return (high & 0x7f000000) !== 0 || (low & 0x1ff) !== 0;
}

/** Whether bit 63 of an entry is set. */
export function isCopied(high: number): boolean {
  return (high & copiedFlagHigh) !== 0;
}
