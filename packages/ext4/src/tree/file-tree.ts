import { Ext4Error } from "../errors.ts";
import {
  type DataRun,
  type NodeAttributes,
  type NodeType,
  typeBits,
  typeOfMode,
} from "./attributes.ts";
import { none } from "./column.ts";
import type { HashKey } from "./name-hash.ts";
import { TreeStore } from "./tree-store.ts";
import { validateAttributes, validateFileData, validateName } from "./validate-attributes.ts";

/** A node of a {@link FileTree}: a small whole number, never used again. The root is 0. */
export type NodeId = number;

/** One name in a directory. */
export interface TreeChild {
  /** One component of a path, as bytes. Do not change them. */
  readonly name: Uint8Array;
  /** What it names. */
  readonly node: NodeId;
}

/** What a {@link FileTree} is made with. */
export interface FileTreeOptions {
  /** Owner, mode, time and attributes of the root; by default 0755, 0:0, time 0. */
  readonly root?: NodeAttributes;
  /** The most names that one node may have; 65,000 as in ext4. */
  readonly maxLinks?: number;
  /**
   * The most bytes of names, symlink targets and sets of attributes that are kept in memory, replaced and removed ones
   * included, and 384 more for each attribute; 512 MiB by default, in steps of 1 MiB. As many again for the ranges of sparse files, of 16 bytes each.
   */
  readonly maxTextBytes?: number;
  /** The key of the tree's hash table, random by default. It never shows in any result. */
  readonly hashKey?: HashKey;
}

const defaultMaxTextBytes: number = 512 * 2 ** 20;

const defaultRoot: NodeAttributes = {
  type: "directory",
  mode: 0o755,
  uid: 0,
  gid: 0,
  mtime: { seconds: 0, nanoseconds: 0 },
  xattrs: [],
};

/** The columns of a tree, for the planner and the writer. */
export let storeOf: (tree: FileTree) => TreeStore;

/**
 * A file system's tree in memory, built for millions of nodes: typed arrays and one store of names.
 *
 * It knows names, links and attributes, no content: of a file it keeps the size and which ranges are data.
 * Work per call is constant (removing a directory: linear in what it holds); depth costs nothing.
 */
export class FileTree {
  readonly #store: TreeStore;
  readonly #maxLinks: number;
  #nodeCount: number = 1;

  constructor(options: FileTreeOptions = {}) {
    const random = (): number => Math.floor(Math.random() * 2 ** 32);
    const { maxTextBytes = defaultMaxTextBytes } = options;
    this.#store = new TreeStore(options.hashKey ?? { k0: random(), k1: random() }, maxTextBytes);
    this.#maxLinks = options.maxLinks ?? 65_000;
    const attributes = options.root ?? defaultRoot;
    if (attributes.type !== "directory") throw new Error("the root must be a directory");
    const root = this.#newNode(attributes);
    this.#store.links[root] = 1;
  }

  static {
    storeOf = (tree) => tree.#store;
  }

  /** The root directory. */
  get root(): NodeId {
    return 0;
  }

  /** How many nodes the tree holds, the root included. A node with several names counts once. */
  get nodeCount(): number {
    return this.#nodeCount;
  }

  /** One more than the largest {@link NodeId} so far, dead nodes included: the length of a caller's own columns. */
  get nodeLimit(): number {
    return this.#store.slots;
  }

  /**
   * Makes a node and gives it a name. What had that name before loses it, a directory with all it holds.
   *
   * @throws {@link Ext4Error} `EXT4_BAD_NAME`, `EXT4_NAME_TOO_LONG`, and the codes of {@link setAttributes}; the
   * tree is then unchanged. `EXT4_TOO_MANY_NODES`; the tree is then of no use.
   */
  add(parent: NodeId, name: Uint8Array, attributes: NodeAttributes): NodeId {
    this.#checkDirectory(parent);
    validateName(name);
    const node = this.#newNode(attributes);
    this.#nodeCount++;
    this.#setName(parent, name, node);
    if (attributes.type === "directory") this.#store.parent[node] = parent;
    return node;
  }

  /**
   * Gives a node one more name. What had that name before loses it; nothing happens when it was the node itself.
   *
   * @throws {@link Ext4Error} `EXT4_LINK_TO_DIRECTORY`, `EXT4_TOO_MANY_LINKS`, `EXT4_BAD_NAME`, `EXT4_NAME_TOO_LONG`.
   */
  link(parent: NodeId, name: Uint8Array, node: NodeId): void {
    this.#checkDirectory(parent);
    this.#checkAlive(node);
    validateName(name);
    if (this.lookup(parent, name) === node) return;
    if (this.type(node) === "directory") {
      throw new Ext4Error({
        code: "EXT4_LINK_TO_DIRECTORY",
        message: "a directory cannot have a second name",
      });
    }
    if (this.linkCount(node) >= this.#maxLinks) {
      throw new Ext4Error({
        code: "EXT4_TOO_MANY_LINKS",
        message: `a file cannot have more than ${this.#maxLinks} names`,
        details: { maxLinks: this.#maxLinks },
      });
    }
    this.#setName(parent, name, node);
  }

  /** What a name in a directory stands for. */
  lookup(parent: NodeId, name: Uint8Array): NodeId | undefined {
    const entry = this.#store.entries.find(parent, name);
    return entry === none ? undefined : this.#store.entries.node[entry];
  }

  /**
   * A small whole number for a name in a directory, never used again once the name is removed: for columns of the caller's
   * own. It stays when the name comes to stand for another node.
   */
  nameId(parent: NodeId, name: Uint8Array): number | undefined {
    const entry = this.#store.entries.find(parent, name);
    return entry === none ? undefined : entry;
  }

  /**
   * Removes a name and, when it is a directory's, everything below it. A node lives while it has names.
   *
   * @returns Whether the name was there.
   */
  remove(parent: NodeId, name: Uint8Array): boolean {
    const entry = this.#store.entries.find(parent, name);
    if (entry === none) return false;
    const node = this.#store.entries.node[entry] as number;
    this.#removeEntry(entry);
    this.#dropName(node);
    return true;
  }

  /** Removes everything below a directory and keeps the directory. */
  clear(directory: NodeId): void {
    this.#checkDirectory(directory);
    this.#clearBelow(directory);
  }

  /**
   * A directory's names, in the order in which they were first given. Names may be removed during the walk.
   */
  *children(directory: NodeId): Generator<TreeChild> {
    this.#checkDirectory(directory);
    const { entries } = this.#store;
    let entry = this.#store.a[directory] as number;
    while (entry !== none) {
      const node = entries.node[entry] as number;
      if (node !== none) yield { name: entries.name(entry), node };
      entry = entries.next[entry] as number;
    }
  }

  /** Whether a node still has a name. */
  isAlive(node: NodeId): boolean {
    return node < this.#store.slots && this.#store.links[node] !== 0;
  }

  /** How many names a node has: 1 for a directory. */
  linkCount(node: NodeId): number {
    return this.#store.links[node] as number;
  }

  /** The directory that holds a directory; the root holds itself. */
  parentOf(directory: NodeId): NodeId {
    this.#checkDirectory(directory);
    return this.#store.parent[directory] as number;
  }

  /** What kind of file a node is. */
  type(node: NodeId): NodeType {
    return typeOfMode(this.#store.mode[node] as number) as NodeType;
  }

  /** A file's size in bytes, 0 for anything else. */
  sizeBytes(node: NodeId): number {
    return this.#store.size[node] as number;
  }

  /** What a symlink leads to, as bytes; nothing for anything else. Do not change them. */
  symlinkTarget(node: NodeId): Uint8Array | undefined {
    const { a, b, arena } = this.#store;
    if (this.type(node) !== "symlink") return undefined;
    return arena.view(a[node] as number, b[node] as number);
  }

  /** Everything that a node is, besides its names. The attributes are sorted by name. */
  attributes(node: NodeId): NodeAttributes {
    const store = this.#store;
    const type = this.type(node);
    const a = store.a[node] as number;
    const b = store.b[node] as number;
    const symlinkTarget = this.symlinkTarget(node);
    return {
      type,
      mode: (store.mode[node] as number) & 0o7777,
      uid: store.uid[node] as number,
      gid: store.gid[node] as number,
      mtime: {
        seconds: store.seconds[node] as number,
        nanoseconds: store.nanoseconds[node] as number,
      },
      xattrs: store.xattrs.get(store.xattrSet[node] as number),
      ...(symlinkTarget === undefined ? {} : { symlinkTarget }),
      ...(type === "char" || type === "block" ? { deviceMajor: a, deviceMinor: b } : {}),
      ...(type === "file"
        ? { sizeBytes: this.sizeBytes(node), dataRuns: this.dataRuns(node) }
        : {}),
    };
  }

  /** The parts of a file that are not holes, in order. */
  dataRuns(node: NodeId): DataRun[] {
    const { a, b, runs, size } = this.#store;
    const count = b[node] as number;
    const length = size[node] as number;
    if (count === none) return length === 0 ? [] : [{ offset: 0, length }];
    const start = (a[node] as number) * 2;
    return Array.from({ length: count }, (_, i) => ({
      offset: runs[start + i * 2] as number,
      length: runs[start + i * 2 + 1] as number,
    }));
  }

  /**
   * Replaces everything that a node is, attributes and all, but its type, its names and what a directory holds.
   *
   * @throws {@link Ext4Error} `EXT4_BAD_ATTRIBUTE`, `EXT4_BAD_SYMLINK`, `EXT4_XATTR_UNSUPPORTED`,
   * `EXT4_XATTR_TOO_LARGE`, `EXT4_FILE_TOO_LARGE`; the node is then unchanged.
   */
  setAttributes(node: NodeId, attributes: NodeAttributes): void {
    this.#checkAlive(node);
    if (attributes.type !== this.type(node)) {
      throw new Error(`a node that is a ${this.type(node)} cannot become a ${attributes.type}`);
    }
    validateAttributes(attributes);
    this.#fill(node, attributes);
  }

  /** Sets a file's size and which ranges of it are data; without ranges all of it is. */
  setFileData(node: NodeId, sizeBytes: number, dataRuns?: readonly DataRun[]): void {
    this.#checkAlive(node);
    if (this.type(node) !== "file") throw new Error("only a file has data");
    validateFileData(sizeBytes, dataRuns);
    this.#store.size[node] = sizeBytes;
    this.#store.b[node] = dataRuns?.length ?? none;
    this.#store.a[node] = dataRuns === undefined ? 0 : this.#store.newRuns(dataRuns);
  }

  #newNode(attributes: NodeAttributes): NodeId {
    validateAttributes(attributes);
    const node = this.#store.newNode();
    this.#fill(node, attributes);
    if (attributes.type === "directory") {
      this.#store.a[node] = none;
      this.#store.b[node] = none;
    }
    return node;
  }

  #fill(node: NodeId, attributes: NodeAttributes): void {
    const store = this.#store;
    const { type } = attributes;
    const xattrSet = store.xattrs.intern(attributes.xattrs);
    store.mode[node] = typeBits[type] | (type === "symlink" ? 0o777 : attributes.mode);
    store.uid[node] = attributes.uid;
    store.gid[node] = attributes.gid;
    store.seconds[node] = attributes.mtime.seconds;
    store.nanoseconds[node] = attributes.mtime.nanoseconds;
    store.xattrSet[node] = xattrSet;
    if (type === "symlink") {
      const target = attributes.symlinkTarget as Uint8Array;
      store.a[node] = store.arena.store(target);
      store.b[node] = target.byteLength;
    } else if (type === "char" || type === "block") {
      store.a[node] = attributes.deviceMajor as number;
      store.b[node] = attributes.deviceMinor as number;
    } else if (type === "file") {
      const { sizeBytes = 0, dataRuns } = attributes;
      store.size[node] = sizeBytes;
      store.b[node] = dataRuns?.length ?? none;
      store.a[node] = dataRuns === undefined ? 0 : store.newRuns(dataRuns);
    }
  }

  #setName(parent: NodeId, name: Uint8Array, node: NodeId): void {
    const store = this.#store;
    store.links[node] = (store.links[node] as number) + 1;
    const entry = store.entries.find(parent, name);
    if (entry !== none) {
      const before = store.entries.node[entry] as number;
      store.entries.node[entry] = node;
      this.#dropName(before);
      return;
    }
    const last = store.b[parent] as number;
    const added = store.entries.add(parent, name, node, last);
    if (last === none) store.a[parent] = added;
    store.b[parent] = added;
  }

  #removeEntry(entry: number): void {
    const { entries, a, b } = this.#store;
    const parent = entries.parent[entry] as number;
    if (a[parent] === entry) a[parent] = entries.next[entry] as number;
    if (b[parent] === entry) b[parent] = entries.previous[entry] as number;
    entries.remove(entry);
  }

  #dropName(node: NodeId): void {
    const { links } = this.#store;
    links[node] = (links[node] as number) - 1;
    if (links[node] !== 0) return;
    this.#nodeCount--;
    if (this.type(node) === "directory") this.#clearBelow(node);
  }

  #clearBelow(directory: NodeId): void {
    const pending = [directory];
    for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
      this.#clearOne(at, pending);
    }
  }

  /** Removes a directory's entries; directories among them are left to the caller. */
  #clearOne(directory: NodeId, pending: NodeId[]): void {
    const store = this.#store;
    let entry = store.a[directory] as number;
    while (entry !== none) {
      const next = store.entries.next[entry] as number;
      const node = store.entries.node[entry] as number;
      this.#removeEntry(entry);
      if (this.type(node) === "directory") {
        store.links[node] = 0;
        this.#nodeCount--;
        pending.push(node);
      } else {
        this.#dropName(node);
      }
      entry = next;
    }
  }

  #checkDirectory(node: NodeId): void {
    if (!this.isAlive(node) || this.type(node) !== "directory") {
      throw new Error(`node ${node} is not a directory in the tree`);
    }
  }

  #checkAlive(node: NodeId): void {
    if (!this.isAlive(node)) throw new Error(`node ${node} has no name`);
  }
}
