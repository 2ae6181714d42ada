import type { ByteArena } from "./byte-arena.ts";
import { grown, none } from "./column.ts";
import { type HashKey, hashName } from "./name-hash.ts";

/** The name that every ext4 file system has in its root. */
export const lostAndFoundName: Uint8Array = new TextEncoder().encode("lost+found");
/** An entry in no directory and for no node, so that a plan can list that name where a tree lacks it. */
export const lostAndFoundEntry = 0;

/**
 * Directory entries as columns, found through one chained hash table over all directories.
 *
 * Entries of one directory are also linked in the order of their making. A removed entry keeps its `next`, so
 * that a walk which stands on it can go on.
 */
export class EntryTable {
  /** The node that an entry names; `none` once it is removed. */
  node: Uint32Array = new Uint32Array(64);
  /** The directory that holds it. */
  parent: Uint32Array = new Uint32Array(64);
  /** Where the name lies in the arena. */
  address: Uint32Array = new Uint32Array(64);
  /** The name's length in bytes. */
  nameLength: Uint8Array = new Uint8Array(64);
  /** The next entry of the same directory. */
  next: Uint32Array = new Uint32Array(64);
  /** The entry before it in the same directory. */
  previous: Uint32Array = new Uint32Array(64);
  /** How many slots are in use, removed entries included. */
  slots: number = 0;
  #chain: Uint32Array = new Uint32Array(64);
  #hash: Uint32Array = new Uint32Array(64);
  #buckets: Uint32Array = new Uint32Array(64).fill(none);
  readonly #arena: ByteArena;
  readonly #key: HashKey;

  constructor(arena: ByteArena, key: HashKey) {
    this.#arena = arena;
    this.#key = key;
    this.node[lostAndFoundEntry] = none;
    this.address[lostAndFoundEntry] = arena.store(lostAndFoundName);
    this.nameLength[lostAndFoundEntry] = lostAndFoundName.byteLength;
    this.slots = 1;
  }

  /** The entry of a name, or `none`. */
  find(parent: number, name: Uint8Array): number {
    const hash = hashName(this.#key, parent, name);
    let entry = this.#buckets[hash & (this.#buckets.length - 1)] as number;
    while (entry !== none) {
      const isIt =
        this.#hash[entry] === hash &&
        this.parent[entry] === parent &&
        this.#arena.equals(this.address[entry] as number, this.nameLength[entry] as number, name);
      if (isIt) return entry;
      entry = this.#chain[entry] as number;
    }
    return none;
  }

  /** Makes an entry after `previous`. The name must be new in its directory. */
  add(parent: number, name: Uint8Array, node: number, previous: number): number {
    if (this.slots === this.node.length) this.#grow();
    const entry = this.slots++;
    this.node[entry] = node;
    this.parent[entry] = parent;
    this.address[entry] = this.#arena.store(name);
    this.nameLength[entry] = name.byteLength;
    this.next[entry] = none;
    this.previous[entry] = previous;
    if (previous !== none) this.next[previous] = entry;
    this.#hash[entry] = hashName(this.#key, parent, name);
    this.#intoBucket(entry);
    return entry;
  }

  /** Takes an entry out of the table and out of its directory's chain. */
  remove(entry: number): void {
    const next = this.next[entry] as number;
    const previous = this.previous[entry] as number;
    if (previous !== none) this.next[previous] = next;
    if (next !== none) this.previous[next] = previous;
    this.node[entry] = none;
    const bucket = (this.#hash[entry] as number) & (this.#buckets.length - 1);
    let at = this.#buckets[bucket] as number;
    if (at === entry) {
      this.#buckets[bucket] = this.#chain[entry] as number;
      return;
    }
    while (this.#chain[at] !== entry) at = this.#chain[at] as number;
    this.#chain[at] = this.#chain[entry] as number;
  }

  /** A view of an entry's name. */
  name(entry: number): Uint8Array {
    return this.#arena.view(this.address[entry] as number, this.nameLength[entry] as number);
  }

  /** The length of an entry's name in bytes. */
  lengthOf(entry: number): number {
    return this.nameLength[entry] as number;
  }

  /** Compares the names of two entries byte by byte. */
  compareNames(a: number, b: number): number {
    return this.#arena.compare(
      this.address[a] as number,
      this.nameLength[a] as number,
      this.address[b] as number,
      this.nameLength[b] as number,
    );
  }

  #intoBucket(entry: number): void {
    const bucket = (this.#hash[entry] as number) & (this.#buckets.length - 1);
    this.#chain[entry] = this.#buckets[bucket] as number;
    this.#buckets[bucket] = entry;
  }

  #grow(): void {
    const capacity = this.node.length * 2;
    this.node = grown(this.node, capacity);
    this.parent = grown(this.parent, capacity);
    this.address = grown(this.address, capacity);
    this.nameLength = grown(this.nameLength, capacity);
    this.next = grown(this.next, capacity);
    this.previous = grown(this.previous, capacity);
    this.#chain = grown(this.#chain, capacity);
    this.#hash = grown(this.#hash, capacity);
    this.#buckets = new Uint32Array(capacity).fill(none);
    for (let entry = 0; entry < this.slots; entry++) {
      if (this.node[entry] !== none) this.#intoBucket(entry);
    }
  }
}
