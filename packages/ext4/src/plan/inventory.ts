import { Ext4Error } from "../errors.ts";
import { inodes, maxInlineTargetBytes } from "../format/numbers.ts";
import { timeRange } from "../format/time.ts";
import { typeBits } from "../tree/attributes.ts";
import { none } from "../tree/column.ts";
import { lostAndFoundEntry, lostAndFoundName } from "../tree/entry-table.ts";
import type { TreeStore } from "../tree/tree-store.ts";
import { type DirectoryShape, oneBlock, shapeDirectory } from "./directory-shape.ts";
import { layOutShortSymlink, layOutXattrs, type XattrLayout } from "./xattr-layout.ts";

/** An attribute's value that has an inode of its own. */
export interface ValueInode {
  /** Its number. */
  readonly inode: number;
  /** The value. */
  readonly value: Uint8Array;
  /** How many inodes use it. */
  readonly references: number;
}

/** What has to be stored, before anybody knows where: every inode has its number and every directory its order. */
export interface Inventory {
  /** The last inode in use. */
  readonly lastInode: number;
  /** The node of an inode; `none` for those that stand for no node. */
  readonly nodeOf: Uint32Array;
  /** The inode of a node; 0 for dead ones. */
  readonly inodeOf: Uint32Array;
  /** All directory entries, one directory after the other, each in the order in which it is stored. */
  readonly list: Uint32Array;
  /** Where a directory's entries start in {@link list}. */
  readonly listStart: Uint32Array;
  /** How many entries a directory has. */
  readonly listCount: Uint32Array;
  /** How many of them are directories. */
  readonly subdirectories: Uint32Array;
  /** Directories of more than one block. */
  readonly largeDirectories: ReadonlyMap<number, DirectoryShape>;
  /** Where the attributes of each set in use go. */
  readonly xattrLayouts: ReadonlyMap<number, XattrLayout>;
  /** The inodes of a set's values that have inodes of their own, in the order of the layout. */
  readonly valueInodesOf: ReadonlyMap<number, readonly ValueInode[]>;
  /** All of those, by number. */
  readonly valueInodes: readonly ValueInode[];
  /** How many times lie outside what an inode can hold. */
  readonly clampedTimes: number;
}

/** Numbers a tree's nodes in the order of their paths, byte by byte, and shapes its directories. */
export function takeInventory(store: TreeStore, hashSeed: Uint32Array): Inventory {
  const walk = new Walk(store, hashSeed);
  walk.run();
  const valueInodesOf = walk.numberValues();
  const nodeOf = new Uint32Array(walk.lastInode + 1).fill(none);
  nodeOf.set(walk.nodeOf.subarray(0, walk.lastInode + 1));
  return {
    lastInode: walk.lastInode,
    nodeOf,
    inodeOf: walk.inodeOf,
    list: walk.list.subarray(0, walk.listed),
    listStart: walk.listStart,
    listCount: walk.listCount,
    subdirectories: walk.subdirectories,
    largeDirectories: walk.largeDirectories,
    xattrLayouts: walk.xattrLayouts,
    valueInodesOf,
    valueInodes: [...valueInodesOf.values()].flat(),
    clampedTimes: walk.clampedTimes,
  };
}

interface Frame {
  readonly byName: Uint32Array;
  next: number;
}

class Walk {
  readonly #store: TreeStore;
  readonly #hashSeed: Uint32Array;
  readonly nodeOf: Uint32Array;
  readonly inodeOf: Uint32Array;
  readonly list: Uint32Array;
  readonly listStart: Uint32Array;
  readonly listCount: Uint32Array;
  readonly subdirectories: Uint32Array;
  readonly largeDirectories: Map<number, DirectoryShape> = new Map();
  readonly xattrLayouts: Map<number, XattrLayout> = new Map();
  readonly #references: Map<number, number> = new Map();
  readonly #lostAndFound: number;
  lastInode: number = inodes.lostAndFound;
  listed = 0;
  clampedTimes = 0;

  constructor(store: TreeStore, hashSeed: Uint32Array) {
    this.#store = store;
    this.#hashSeed = hashSeed;
    const length = store.slots + inodes.firstFree;
    this.nodeOf = new Uint32Array(length).fill(none);
    this.inodeOf = new Uint32Array(store.slots);
    this.list = new Uint32Array(store.entries.slots);
    this.listStart = new Uint32Array(length);
    this.listCount = new Uint32Array(length);
    this.subdirectories = new Uint32Array(length);
    const entry = store.entries.find(0, lostAndFoundName);
    this.#lostAndFound = entry === none ? none : (store.entries.node[entry] as number);
    if (this.#lostAndFound !== none && !this.#isDirectory(this.#lostAndFound)) {
      throw new Ext4Error({
        code: "EXT4_BAD_LOST_AND_FOUND",
        message: "the name /lost+found belongs to something that is not a directory",
      });
    }
  }

  run(): void {
    const { entries } = this.#store;
    const root = 0;
    this.#enroll(root, inodes.root);
    const frames = [this.#openDirectory(root, inodes.root)];
    for (let frame = frames.at(-1); frame !== undefined; frame = frames.at(-1)) {
      const entry = frame.byName[frame.next++];
      if (entry === undefined) {
        frames.pop();
        continue;
      }
      if (entry === lostAndFoundEntry) continue;
      const node = entries.node[entry] as number;
      if (this.inodeOf[node] !== 0) continue;
      const inode = node === this.#lostAndFound ? inodes.lostAndFound : ++this.lastInode;
      this.#enroll(node, inode);
      if (this.#isDirectory(node)) frames.push(this.#openDirectory(node, inode));
    }
  }

  /** Gives inodes to the values that need them, after all others. */
  numberValues(): Map<number, ValueInode[]> {
    const valueInodes = new Map<number, ValueInode[]>();
    for (const [set, { inInode, inBlock }] of this.xattrLayouts) {
      const outside = [...inInode, ...inBlock].filter(({ place }) => place === "inode");
      if (outside.length === 0) continue;
      const references = this.#references.get(set) as number;
      valueInodes.set(
        set,
        outside.map(({ value }) => ({ inode: ++this.lastInode, value, references })),
      );
    }
    return valueInodes;
  }

  #enroll(node: number, inode: number): void {
    const { xattrSet, seconds, xattrs } = this.#store;
    this.nodeOf[inode] = node;
    this.inodeOf[node] = inode;
    const time = seconds[node] as number;
    if (time < timeRange.min || time > timeRange.max) this.clampedTimes++;
    const set = xattrSet[node] as number;
    if (set === 0) return;
    const used = this.#references.get(set) ?? 0;
    const layout = this.xattrLayouts.get(set) ?? layOutXattrs(xattrs.get(set));
    this.xattrLayouts.set(set, this.#isShortSymlink(node) ? layOutShortSymlink(layout) : layout);
    this.#references.set(set, used + 1);
  }

  #openDirectory(node: number, inode: number): Frame {
    const { entries } = this.#store;
    const byName = this.#entriesByName(node);
    const stored = this.list.subarray(this.listed, this.listed + byName.length);
    stored.set(byName);
    const shape = shapeDirectory(entries, stored, this.#hashSeed);
    if (shape !== oneBlock) this.largeDirectories.set(inode, shape);
    this.listStart[inode] = this.listed;
    this.listCount[inode] = byName.length;
    this.listed += byName.length;
    let subdirectories = 0;
    for (const entry of byName) if (this.#namesDirectory(entry)) subdirectories++;
    this.subdirectories[inode] = subdirectories;
    return { byName, next: 0 };
  }

  #entriesByName(node: number): Uint32Array {
    const { entries, a } = this.#store;
    const first = a[node] as number;
    const needsLostAndFound = node === 0 && this.#lostAndFound === none;
    let count = needsLostAndFound ? 1 : 0;
    for (let at = first; at !== none; at = entries.next[at] as number) count++;
    const list = new Uint32Array(count);
    let filled = 0;
    for (let at = first; at !== none; at = entries.next[at] as number) list[filled++] = at;
    if (needsLostAndFound) list[filled] = lostAndFoundEntry;
    return list.sort((one, other) => entries.compareNames(one, other));
  }

  #namesDirectory(entry: number): boolean {
    return (
      entry === lostAndFoundEntry || this.#isDirectory(this.#store.entries.node[entry] as number)
    );
  }

  #isShortSymlink(node: number): boolean {
    const { mode, b } = this.#store;
    const isSymlink = ((mode[node] as number) & 0xf000) === typeBits.symlink;
    return isSymlink && (b[node] as number) <= maxInlineTargetBytes;
  }

  #isDirectory(node: number): boolean {
    return ((this.#store.mode[node] as number) & 0xf000) === typeBits.directory;
  }
}
