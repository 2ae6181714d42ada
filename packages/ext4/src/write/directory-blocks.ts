import { crc32c } from "../format/crc32c.ts";
import { halfMd4 } from "../format/half-md4.ts";
import { inodeSeed } from "../format/inode.ts";
import { blockBytes, inodes } from "../format/numbers.ts";
import {
  type DirectoryShape,
  direntBytes,
  dotBytes,
  leafRoom,
  leafStarts,
  leafTailBytes,
  nodeIndexEntries,
  oneBlock,
  rootIndexEntries,
} from "../plan/directory-shape.ts";
import type { PlanParts } from "../plan/ext4-plan.ts";
import { typeBits } from "../tree/attributes.ts";
import { lostAndFoundEntry } from "../tree/entry-table.ts";

/** The type in a directory entry, by the upper bits of the mode. */
const fileTypes: ReadonlyMap<number, number> = new Map([
  [typeBits.file, 1],
  [typeBits.directory, 2],
  [typeBits.char, 3],
  [typeBits.block, 4],
  [typeBits.fifo, 5],
  [typeBits.symlink, 7],
]);
const directoryType = 2;
const tailType = 0xde;
const halfMd4Version = 1;

/** Makes the blocks of directories, one at a time, in one buffer. */
export class DirectoryBlocks {
  readonly #parts: PlanParts;
  readonly #seed: number;
  readonly #bytes: Uint8Array = new Uint8Array(blockBytes);
  readonly #view: DataView = new DataView(this.#bytes.buffer);
  #inode = 0;
  #inodeSeed = 0;

  constructor(parts: PlanParts, seed: number) {
    this.#parts = parts;
    this.#seed = seed;
  }

  /** A directory's blocks in order. Each is valid until the next is asked for. */
  *build(inode: number, parent: number): Generator<Uint8Array> {
    const { inventory, store } = this.#parts;
    this.#inode = inode;
    this.#inodeSeed = inodeSeed(this.#seed, inode);
    const start = inventory.listStart[inode] as number;
    const list = inventory.list.subarray(start, start + (inventory.listCount[inode] as number));
    const shape = inventory.largeDirectories.get(inode) ?? oneBlock;
    if (!shape.isIndexed) {
      this.#bytes.fill(0);
      this.#writeDots(parent, list.length === 0 ? leafRoom - 12 : 12);
      yield this.#leaf(list, dotBytes);
      return;
    }
    const starts = leafStarts(store.entries, list);
    yield* this.#index(shape, parent, list, starts);
    for (const [i, first] of starts.entries()) {
      this.#bytes.fill(0);
      yield this.#leaf(list.subarray(first, starts[i + 1]), 0);
    }
  }

  #writeDots(parent: number, parentBytes: number): void {
    this.#writeEntry(0, this.#inode, 12, directoryType, Uint8Array.of(0x2e));
    this.#writeEntry(12, parent, parentBytes, directoryType, Uint8Array.of(0x2e, 0x2e));
  }

  /** Fills the rest of a block with entries, the last one reaching to the checksum. */
  #leaf(list: Uint32Array, start: number): Uint8Array {
    const { inventory, store } = this.#parts;
    const { entries } = store;
    let at = start;
    for (const [i, entry] of list.entries()) {
      const isLast = i === list.length - 1;
      const bytes = isLast ? leafRoom - at : direntBytes(entries.lengthOf(entry));
      const node = entries.node[entry] as number;
      const isLost = entry === lostAndFoundEntry;
      const inode = isLost ? inodes.lostAndFound : (inventory.inodeOf[node] as number);
      const mode = isLost ? typeBits.directory : (store.mode[node] as number);
      const type = fileTypes.get(mode & 0xf000) as number;
      this.#writeEntry(at, inode, bytes, type, entries.name(entry));
      at += bytes;
    }
    this.#writeEntry(leafRoom, 0, leafTailBytes, tailType, new Uint8Array(0));
    this.#view.setUint32(leafRoom + 8, crc32c(this.#inodeSeed, this.#bytes, 0, leafRoom), true);
    return this.#bytes;
  }

  /** The index of a large directory: its root block, then the blocks between root and leaves. */
  *#index(
    shape: DirectoryShape,
    parent: number,
    list: Uint32Array,
    starts: readonly number[],
  ): Generator<Uint8Array> {
    const hashes = this.#leafHashes(list, starts);
    const firstLeaf = 1 + shape.nodeBlocks;
    const leaves = hashes.map((hash, i) => ({ hash, block: firstLeaf + i }));
    const hasNodes = shape.nodeBlocks > 0;
    const root = hasNodes
      ? Array.from({ length: shape.nodeBlocks }, (_, i) => ({
          hash: hashes[i * nodeIndexEntries] as number,
          block: 1 + i,
        }))
      : leaves;
    this.#bytes.fill(0);
    this.#writeDots(parent, blockBytes - 12);
    this.#bytes[dotBytes + 4] = halfMd4Version;
    this.#bytes[dotBytes + 5] = 8;
    this.#bytes[dotBytes + 6] = hasNodes ? 1 : 0;
    yield this.#indexBlock(dotBytes + 8, rootIndexEntries, root);
    for (let i = 0; i < shape.nodeBlocks; i++) {
      this.#bytes.fill(0);
      this.#view.setUint16(4, blockBytes, true);
      const below = leaves.slice(i * nodeIndexEntries, (i + 1) * nodeIndexEntries);
      yield this.#indexBlock(8, nodeIndexEntries, below);
    }
  }

  #indexBlock(
    at: number,
    limit: number,
    entries: readonly { readonly hash: number; readonly block: number }[],
  ): Uint8Array {
    for (const [i, { hash, block }] of entries.entries()) {
      this.#view.setUint32(at + i * 8, hash, true);
      this.#view.setUint32(at + i * 8 + 4, block, true);
    }
    // The first entry's hash gives way to the counts: it stands for everything below the second.
    this.#view.setUint16(at, limit, true);
    this.#view.setUint16(at + 2, entries.length, true);
    const crc = crc32c(this.#inodeSeed, this.#bytes, 0, at + entries.length * 8);
    const tail = at + limit * 8;
    this.#view.setUint32(tail + 4, crc32c(crc, new Uint8Array(8)), true);
    return this.#bytes;
  }

  /** The smallest hash of each leaf; odd when the leaf before ends with the same one. */
  #leafHashes(list: Uint32Array, starts: readonly number[]): number[] {
    return starts.map((first) => {
      const hash = this.#hashOf(list[first] as number);
      const continues = first > 0 && this.#hashOf(list[first - 1] as number) === hash;
      return continues ? hash + 1 : hash;
    });
  }

  #hashOf(entry: number): number {
    const { settings, store } = this.#parts;
    return halfMd4(store.entries.name(entry), settings.hashSeed).major;
  }

  #writeEntry(at: number, inode: number, bytes: number, type: number, name: Uint8Array): void {
    this.#view.setUint32(at, inode, true);
    this.#view.setUint16(at + 4, bytes, true);
    this.#bytes[at + 6] = name.byteLength;
    this.#bytes[at + 7] = type;
    this.#bytes.set(name, at + 8);
  }
}
