import { Ext4Error } from "../errors.ts";
import { ByteArena } from "./byte-arena.ts";
import { grown } from "./column.ts";
import { EntryTable } from "./entry-table.ts";
import type { HashKey } from "./name-hash.ts";
import { XattrPool } from "./xattr-pool.ts";

const maxNodes = 2 ** 31;
/** Two numbers of eight bytes. */
const runBytes = 16;

/**
 * The columns behind a file tree: one slot of every array per node, no object per node.
 *
 * What `a` and `b` hold depends on the type: a directory's first and last entry, a symlink's address and
 * length, a device's numbers, the first run and the count of runs of a file (`none` = all of it is data).
 */
export class TreeStore {
  /** Names, symlink targets and attributes. */
  readonly arena: ByteArena;
  /** Directory entries. */
  readonly entries: EntryTable;
  /** Sets of extended attributes. */
  readonly xattrs: XattrPool;
  /** Type and permissions as in `i_mode`. */
  mode: Uint16Array = new Uint16Array(64);
  /** Owners. */
  uid: Uint32Array = new Uint32Array(64);
  /** Groups. */
  gid: Uint32Array = new Uint32Array(64);
  /** Modification times, whole seconds. */
  seconds: Float64Array = new Float64Array(64);
  /** Modification times, nanoseconds. */
  nanoseconds: Uint32Array = new Uint32Array(64);
  /** How many names a node has; a directory's subdirectories are not counted. */
  links: Uint32Array = new Uint32Array(64);
  /** File sizes. */
  size: Float64Array = new Float64Array(64);
  /** See the class. */
  a: Uint32Array = new Uint32Array(64);
  /** See the class. */
  b: Uint32Array = new Uint32Array(64);
  /** Indexes into the attribute sets; 0 is the empty one. */
  xattrSet: Uint32Array = new Uint32Array(64);
  /** A directory's parent. */
  parent: Uint32Array = new Uint32Array(64);
  /** Pairs of offset and length of the data ranges of files with holes. */
  runs: Float64Array = new Float64Array(64);
  /** How many numbers of {@link runs} are in use. */
  runsUsed: number = 0;
  /** How many slots are in use, dead nodes included. */
  slots: number = 0;
  readonly #maxRuns: number;

  /** @param maxTextBytes - Room for what the arena holds, and the same again for ranges of data. */
  constructor(key: HashKey, maxTextBytes: number) {
    this.#maxRuns = maxTextBytes / runBytes;
    this.arena = new ByteArena(maxTextBytes);
    this.xattrs = new XattrPool(this.arena, key);
    this.entries = new EntryTable(this.arena, key);
  }

  /** Takes the next slot; its columns are zero. */
  newNode(): number {
    if (this.slots === this.mode.length) this.#grow();
    return this.slots++;
  }

  /** Keeps a file's ranges of data. */
  newRuns(ranges: readonly { readonly offset: number; readonly length: number }[]): number {
    const start = this.runsUsed;
    const end = start + ranges.length * 2;
    if (end / 2 > this.#maxRuns) {
      throw new Ext4Error({
        code: "EXT4_TOO_MANY_NODES",
        message: `cannot add to the file tree: its sparse files have more than ${this.#maxRuns} ranges`,
        details: { maxRuns: this.#maxRuns },
      });
    }
    if (end > this.runs.length) this.runs = grown(this.runs, Math.max(end, this.runs.length * 2));
    for (const { offset, length } of ranges) {
      this.runs[this.runsUsed++] = offset;
      this.runs[this.runsUsed++] = length;
    }
    return start / 2;
  }

  #grow(): void {
    const capacity = this.mode.length * 2;
    if (capacity > maxNodes) {
      throw new Ext4Error({
        code: "EXT4_TOO_MANY_NODES",
        message: `cannot add to the file tree: it holds ${this.slots} nodes`,
      });
    }
    this.mode = grown(this.mode, capacity);
    this.uid = grown(this.uid, capacity);
    this.gid = grown(this.gid, capacity);
    this.seconds = grown(this.seconds, capacity);
    this.nanoseconds = grown(this.nanoseconds, capacity);
    this.links = grown(this.links, capacity);
    this.size = grown(this.size, capacity);
    this.a = grown(this.a, capacity);
    this.b = grown(this.b, capacity);
    this.xattrSet = grown(this.xattrSet, capacity);
    this.parent = grown(this.parent, capacity);
  }
}
