import { Ext4Error } from "../errors.ts";
import { halfMd4 } from "../format/half-md4.ts";
import { blockBytes } from "../format/numbers.ts";
import type { EntryTable } from "../tree/entry-table.ts";

/** How many blocks of which kind a directory has. */
export interface DirectoryShape {
  /** Blocks of names. */
  readonly leafBlocks: number;
  /** Index blocks between the root and the leaves. */
  readonly nodeBlocks: number;
  /** Whether a root block with an index stands before them. */
  readonly isIndexed: boolean;
}

/** The checksum at the end of every leaf. */
export const leafTailBytes = 12;
/** What names may fill of a block. */
export const leafRoom: number = blockBytes - leafTailBytes;
/** Entries of the index root, whose block also holds `.` and `..`. */
export const rootIndexEntries = 507;
/** Entries of an index block below the root. */
export const nodeIndexEntries = 510;
/** What `.` and `..` take. */
export const dotBytes = 24;

/** Most directories: one block, searched from its start. */
export const oneBlock: DirectoryShape = { leafBlocks: 1, nodeBlocks: 0, isIndexed: false };

/** What an entry with a name of this length takes. */
export function direntBytes(nameLength: number): number {
  return (8 + nameLength + 3) & ~3;
}

/** The blocks of a shape. */
export function directoryBlocks(shape: DirectoryShape): number {
  return shape.leafBlocks + shape.nodeBlocks + (shape.isIndexed ? 1 : 0);
}

/**
 * Shapes a directory and puts its entries into the order in which they are stored: by name when one block holds them,
 * else by hash.
 *
 * @param list - The directory's entries by name; reordered in place.
 */
export function shapeDirectory(
  entries: EntryTable,
  list: Uint32Array,
  hashSeed: Uint32Array,
): DirectoryShape {
  let bytes = dotBytes;
  for (const entry of list) bytes += direntBytes(entries.lengthOf(entry));
  if (bytes <= leafRoom) return oneBlock;
  sortByHash(entries, list, hashSeed);
  return indexedShape(leafStarts(entries, list).length);
}

/**
 * The shape of a directory with an index over so many leaves.
 *
 * @throws {@link Ext4Error} `EXT4_DIRECTORY_TOO_LARGE` when they need an index of three levels.
 */
export function indexedShape(leafBlocks: number): DirectoryShape {
  if (leafBlocks > rootIndexEntries * nodeIndexEntries) {
    throw new Ext4Error({
      code: "EXT4_DIRECTORY_TOO_LARGE",
      message: `a directory needs ${leafBlocks} blocks, more than an index of two levels can hold`,
      details: { leafBlocks },
    });
  }
  const nodeBlocks = leafBlocks <= rootIndexEntries ? 0 : Math.ceil(leafBlocks / nodeIndexEntries);
  return { leafBlocks, nodeBlocks, isIndexed: true };
}

/** Where each leaf of an indexed directory starts in its list: each is filled as far as names fit. */
export function leafStarts(entries: EntryTable, list: Uint32Array): number[] {
  const starts: number[] = [];
  let used = leafRoom;
  for (let i = 0; i < list.length; i++) {
    const bytes = direntBytes(entries.lengthOf(list[i] as number));
    if (used + bytes > leafRoom) {
      starts.push(i);
      used = 0;
    }
    used += bytes;
  }
  return starts;
}

function sortByHash(entries: EntryTable, list: Uint32Array, hashSeed: Uint32Array): void {
  const byName = list.slice();
  const keys = new Float64Array(list.length);
  const minors = new Uint32Array(list.length);
  const order = new Uint32Array(list.length);
  for (let i = 0; i < list.length; i++) {
    const { major, minor } = halfMd4(entries.name(byName[i] as number), hashSeed);
    keys[i] = major;
    minors[i] = minor;
    order[i] = i;
  }
  // Ties are left to the names, whose order the indexes are.
  order.sort(
    (a, b) =>
      (keys[a] as number) - (keys[b] as number) ||
      (minors[a] as number) - (minors[b] as number) ||
      a - b,
  );
  for (let i = 0; i < list.length; i++) list[i] = byName[order[i] as number] as number;
}
