import type { NodeXattr } from "./attributes.ts";
import type { ByteArena } from "./byte-arena.ts";
import { grown, none } from "./column.ts";
import { type HashKey, hashName } from "./name-hash.ts";

/** What an attribute takes besides its bytes, about: here, and where a plan lays out its set. */
const keptBytes = 384;
const headerBytes = 4;

/**
 * Sets of extended attributes, each kept once, as bytes: an attribute can have as few as eight of them.
 *
 * Labels repeat: a million files with the same security label share one set.
 */
export class XattrPool {
  readonly #arena: ByteArena;
  readonly #key: HashKey;
  /** Where each attribute of each set lies in the arena: the length of its name, that of its value, and both. */
  #addresses: Uint32Array = new Uint32Array(64);
  /** Where the addresses of a set start; those of the next one follow. The first set is the empty one. */
  #starts: Uint32Array = new Uint32Array(64);
  /** The set before with the same hash, or `none`. */
  #sameHash: Uint32Array = new Uint32Array(64);
  #sets = 1;
  /** The last set of each hash. */
  readonly #byHash: Map<number, number> = new Map();

  constructor(arena: ByteArena, key: HashKey) {
    this.#arena = arena;
    this.#key = key;
  }

  /** The index of a set, sorted by name; of several attributes with one name the last counts. */
  intern(xattrs: readonly NodeXattr[]): number {
    if (xattrs.length === 0) return 0;
    const sorted = sortByName(xattrs);
    const hash = this.#hashOf(sorted);
    const last = this.#byHash.get(hash) ?? none;
    for (let set = last; set !== none; set = this.#sameHash[set] as number) {
      if (this.#equals(set, sorted)) return set;
    }
    return this.#add(sorted, hash, last);
  }

  /** The set of an index, sorted by name. */
  get(set: number): readonly NodeXattr[] {
    const [start, end] = [this.#starts[set] as number, this.#starts[set + 1] as number];
    return Array.from(this.#addresses.subarray(start, end), (address) => this.#at(address));
  }

  #add(sorted: readonly NodeXattr[], hash: number, last: number): number {
    this.#arena.charge(sorted.length * keptBytes);
    const set = this.#sets++;
    if (set + 2 > this.#starts.length) {
      this.#starts = grown(this.#starts, set * 2);
      this.#sameHash = grown(this.#sameHash, set * 2);
    }
    let end = this.#starts[set] as number;
    if (end + sorted.length > this.#addresses.length) {
      this.#addresses = grown(this.#addresses, (end + sorted.length) * 2);
    }
    for (const xattr of sorted) this.#addresses[end++] = this.#keep(xattr);
    this.#starts[set + 1] = end;
    this.#sameHash[set] = last;
    this.#byHash.set(hash, set);
    return set;
  }

  #equals(set: number, sorted: readonly NodeXattr[]): boolean {
    const start = this.#starts[set] as number;
    if ((this.#starts[set + 1] as number) - start !== sorted.length) return false;
    return sorted.every(({ name, value }, i) => {
      const known = this.#at(this.#addresses[start + i] as number);
      return compareBytes(name, known.name) === 0 && compareBytes(value, known.value) === 0;
    });
  }

  #hashOf(sorted: readonly NodeXattr[]): number {
    let hash = sorted.length;
    for (const { name, value } of sorted) {
      hash = hashName(this.#key, hashName(this.#key, hash, name), value);
    }
    return hash;
  }

  #keep({ name, value }: NodeXattr): number {
    const bytes = new Uint8Array(headerBytes + name.byteLength + value.byteLength);
    new DataView(bytes.buffer).setUint32(0, value.byteLength * 256 + name.byteLength);
    bytes.set(name, headerBytes);
    bytes.set(value, headerBytes + name.byteLength);
    return this.#arena.store(bytes);
  }

  #at(address: number): NodeXattr {
    const [a = 0, b = 0, c = 0, nameBytes = 0] = this.#arena.view(address, headerBytes);
    const bytes = this.#arena.view(address, headerBytes + nameBytes + a * 65_536 + b * 256 + c);
    return {
      name: bytes.subarray(headerBytes, headerBytes + nameBytes),
      value: bytes.subarray(headerBytes + nameBytes),
    };
  }
}

function sortByName(xattrs: readonly NodeXattr[]): NodeXattr[] {
  const sorted = xattrs.toSorted((a, b) => compareBytes(a.name, b.name));
  return sorted.filter(({ name }, i) => {
    const next = sorted[i + 1];
    return next === undefined || compareBytes(name, next.name) !== 0;
  });
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
