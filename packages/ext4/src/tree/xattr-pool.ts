import type { NodeXattr } from "./attributes.ts";
import type { ByteArena } from "./byte-arena.ts";
import { type HashKey, hashName } from "./name-hash.ts";

/**
 * Sets of extended attributes, each kept once.
 *
 * Labels repeat: a million files with the same security label share one set.
 */
export class XattrPool {
  readonly #arena: ByteArena;
  readonly #key: HashKey;
  readonly #sets: (readonly NodeXattr[])[] = [[]];
  /** Indexes of the sets with the same hash. */
  readonly #indexes: Map<number, number[]> = new Map();

  constructor(arena: ByteArena, key: HashKey) {
    this.#arena = arena;
    this.#key = key;
  }

  /** The index of a set, sorted by name; of several attributes with one name the last counts. */
  intern(xattrs: readonly NodeXattr[]): number {
    if (xattrs.length === 0) return 0;
    const sorted = sortByName(xattrs);
    const hash = this.#hashOf(sorted);
    const sameHash = this.#indexes.get(hash) ?? [];
    const known = sameHash.find((index) => areEqual(this.get(index), sorted));
    if (known !== undefined) return known;
    const index = this.#sets.push(sorted.map((xattr) => this.#keep(xattr))) - 1;
    this.#indexes.set(hash, [...sameHash, index]);
    return index;
  }

  /** The set of an index, sorted by name. */
  get(index: number): readonly NodeXattr[] {
    return this.#sets[index] as readonly NodeXattr[];
  }

  #hashOf(sorted: readonly NodeXattr[]): number {
    let hash = sorted.length;
    for (const { name, value } of sorted) {
      hash = hashName(this.#key, hashName(this.#key, hash, name), value);
    }
    return hash;
  }

  #keep({ name, value }: NodeXattr): NodeXattr {
    const keep = (bytes: Uint8Array): Uint8Array =>
      this.#arena.view(this.#arena.store(bytes), bytes.byteLength);
    return { name: keep(name), value: keep(value) };
  }
}

function sortByName(xattrs: readonly NodeXattr[]): NodeXattr[] {
  const sorted = xattrs.toSorted((a, b) => compareBytes(a.name, b.name));
  return sorted.filter(({ name }, i) => {
    const next = sorted[i + 1];
    return next === undefined || compareBytes(name, next.name) !== 0;
  });
}

function areEqual(one: readonly NodeXattr[], other: readonly NodeXattr[]): boolean {
  return (
    one.length === other.length &&
    one.every(({ name, value }, i) => {
      const { name: otherName, value: otherValue } = other[i] as NodeXattr;
      return compareBytes(name, otherName) === 0 && compareBytes(value, otherValue) === 0;
    })
  );
}

/** Compares byte by byte, a prefix first. */
function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const shared = Math.min(a.byteLength, b.byteLength);
  for (let i = 0; i < shared; i++) {
    const difference = (a[i] as number) - (b[i] as number);
    if (difference !== 0) return difference;
  }
  return a.byteLength - b.byteLength;
}
