/** Bit numbers of incompatible features: a reader that does not know one must not open the image. */
export const incompatibleBits = {
  dirty: 0,
  corrupt: 1,
  externalDataFile: 2,
  compressionType: 3,
  extendedL2: 4,
} as const;

/** Bit numbers of compatible features. */
export const compatibleBits = { lazyRefcounts: 0 } as const;

/** Bit numbers of autoclear features: a writer that does not know one clears it. */
export const autoclearBits = { bitmaps: 0, rawDataFile: 1 } as const;

/** The kinds of feature bits, in the order of their numbers in the feature name table. */
export const featureKinds = ["incompatible", "compatible", "autoclear"] as const;

/** Which of the three feature fields a bit is in. */
export type FeatureKind = (typeof featureKinds)[number];

/** A feature bit and what the image calls it. */
export interface FeatureName {
  /** Which field the bit is in. */
  readonly kind: FeatureKind;
  /** Bit number, 0 to 63. */
  readonly bit: number;
  /** Its name, safe to show. */
  readonly name: string;
}

/** The features that this package knows, named as QEMU names them. */
export const knownFeatures: readonly FeatureName[] = [
  { kind: "incompatible", bit: incompatibleBits.dirty, name: "dirty bit" },
  { kind: "incompatible", bit: incompatibleBits.corrupt, name: "corrupt bit" },
  { kind: "incompatible", bit: incompatibleBits.externalDataFile, name: "external data file" },
  { kind: "incompatible", bit: incompatibleBits.compressionType, name: "compression type" },
  { kind: "incompatible", bit: incompatibleBits.extendedL2, name: "extended L2 entries" },
  { kind: "compatible", bit: compatibleBits.lazyRefcounts, name: "lazy refcounts" },
  { kind: "autoclear", bit: autoclearBits.bitmaps, name: "bitmaps" },
  { kind: "autoclear", bit: autoclearBits.rawDataFile, name: "raw external data" },
];

/** Whether a bit of a 64-bit feature field is set. */
export function hasBit(features: bigint, bit: number): boolean {
  return ((features >> BigInt(bit)) & 1n) === 1n;
}

/** A feature field with the given bits set. */
export function bitsOf(...bits: readonly number[]): bigint {
  return bits.reduce((field, bit) => field | (1n << BigInt(bit)), 0n);
}

/** The incompatible bits that this package does not know, lowest first. */
export function unknownIncompatibleBits(features: bigint): number[] {
  const known: readonly number[] = Object.values(incompatibleBits);
  const unknown: number[] = [];
  for (let bit = 0; bit < 64; bit++) {
    if (hasBit(features, bit) && !known.includes(bit)) unknown.push(bit);
  }
  return unknown;
}
