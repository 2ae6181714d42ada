import { type ImageField, imageFields } from "./image-fields.ts";

/** A changed image and what was changed. */
export interface Mutant {
  /** The image's bytes. */
  readonly bytes: Uint8Array;
  /** What was done, for a person. */
  readonly change: string;
}

/** Gives whole numbers below a bound: the same ones for the same seed. */
export type Random = (bound: number) => number;

/** A small generator (mulberry32) for choices that a seed repeats. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return (bound) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % bound;
  };
}

/**
 * Changes one field of an image to a boundary value, or cuts it where a structure begins or ends.
 *
 * @param fields - The fields of the sound image, for one that has been changed before.
 */
export function mutate(
  image: Uint8Array,
  random: Random,
  fields: readonly ImageField[] = imageFields(image),
  clusterSize: number = 2 ** new DataView(image.buffer, image.byteOffset).getUint32(20),
): Mutant {
  if (random(12) === 0) return cut(image, fields, clusterSize, random);
  const structures = [...new Set(fields.map(({ name }) => name))];
  const structure = structures[random(structures.length)];
  const candidates = fields.filter(({ name }) => name === structure);
  const field = candidates[random(candidates.length)] as ImageField;
  const bytes = image.slice();
  const before = readField(bytes, field);
  const after = changed(before, field, image, clusterSize, random);
  writeField(bytes, field, after);
  return {
    bytes,
    change: `${field.name} at ${field.offset}: 0x${before.toString(16)} to 0x${after.toString(16)}`,
  };
}

function changed(
  before: bigint,
  field: ImageField,
  image: Uint8Array,
  clusterSize: number,
  random: Random,
): bigint {
  const bits = BigInt(field.bytes * 8);
  const max = (1n << bits) - 1n;
  const cluster = BigInt(clusterSize);
  const size = BigInt(image.byteLength);
  const clusters = Math.floor(image.byteLength / clusterSize);
  const values = [
    0n,
    1n,
    max,
    max >> 1n,
    1n << (bits - 1n),
    before + 1n,
    before - 1n,
    before + cluster,
    before - cluster,
    before * 2n,
    before + 512n,
    before ^ (1n << BigInt(random(field.bytes * 8))),
    before ^ (1n << BigInt(random(field.bytes * 8))),
    size,
    size - (size % cluster),
    size + cluster,
    BigInt(random(Math.max(1, clusters)) * clusterSize),
    (before & (0xffn << 56n)) | BigInt(random(Math.max(1, clusters)) * clusterSize),
    BigInt(random(256)),
    BigInt(random(2 ** 31)),
  ];
  return (values[random(values.length)] as bigint) & max;
}

function cut(
  image: Uint8Array,
  fields: readonly ImageField[],
  clusterSize: number,
  random: Random,
): Mutant {
  const field = fields[random(fields.length)] as ImageField;
  const borders = [
    field.offset,
    field.offset + field.bytes,
    field.offset + 1,
    Math.floor(field.offset / clusterSize) * clusterSize,
    Math.ceil((field.offset + 1) / clusterSize) * clusterSize,
    image.byteLength - 1,
    image.byteLength - 512,
    image.byteLength - random(Math.max(1, Math.min(image.byteLength, clusterSize * 2))),
    random(Math.max(1, image.byteLength)),
  ];
  const length = Math.min(image.byteLength, borders[random(borders.length)] as number);
  return { bytes: image.slice(0, length), change: `cut to ${length} of ${image.byteLength} bytes` };
}

function readField(bytes: Uint8Array, { offset, bytes: length }: ImageField): bigint {
  let value = 0n;
  for (let i = 0; i < length; i++) value = (value << 8n) | BigInt(bytes[offset + i] ?? 0);
  return value;
}

function writeField(bytes: Uint8Array, { offset, bytes: length }: ImageField, value: bigint): void {
  for (let i = 0; i < length; i++) {
    bytes[offset + i] = Number((value >> BigInt((length - 1 - i) * 8)) & 0xffn);
  }
}
