import { Ext4Error } from "../errors.ts";
import { blockBytes, inodeBytes } from "../format/numbers.ts";
import type { NodeXattr } from "../tree/attributes.ts";
import { encodeAcl } from "../xattr/acl.ts";
import { isAclIndex, splitXattrName, type XattrNameParts } from "../xattr/xattr-name.ts";

/** One attribute as it is stored. */
export interface StoredXattr extends XattrNameParts {
  /** The value in ext4's own form. */
  readonly value: Uint8Array;
  /** Where the value goes. */
  readonly place: "inline" | "inode";
}

/** Where the attributes of one set go. */
export interface XattrLayout {
  /** Those in the inode itself. */
  readonly inInode: readonly StoredXattr[];
  /** Those in the inode's attribute block; none means that there is no such block. */
  readonly inBlock: readonly StoredXattr[];
}

/** Where the inode's own attribute area starts, and the four bytes of its magic. */
export const inInodeStart = 160;
/** The header of an attribute block. */
export const xattrBlockHeaderBytes = 32;
const magicBytes = 4;
const endMarkBytes = 4;
const entryBytes = 16;
const inInodeRoom: number = inodeBytes - inInodeStart - magicBytes - endMarkBytes;
const inBlockRoom: number = blockBytes - xattrBlockHeaderBytes - endMarkBytes;

/** What an entry's fixed part and its name take. */
export function xattrEntryBytes({ suffix }: XattrNameParts): number {
  return entryBytes + roundUp4(suffix.byteLength);
}

/** What an attribute's value takes next to the entries. */
export function xattrValueBytes({ value, place }: StoredXattr): number {
  return place === "inline" ? roundUp4(value.byteLength) : 0;
}

function xattrBytes(xattr: StoredXattr): number {
  return xattrEntryBytes(xattr) + xattrValueBytes(xattr);
}

/**
 * Decides where attributes go: into the inode, then into one block; when that is too small, the largest values get
 * inodes of their own.
 *
 * @throws {@link Ext4Error} `EXT4_XATTR_TOO_LARGE` when not even the names fit.
 */
export function layOutXattrs(xattrs: readonly NodeXattr[]): XattrLayout {
  const stored = xattrs.map(store).sort(compareStored);
  if (tryPlaces(stored.map(moved)) === undefined) {
    throw new Ext4Error({
      code: "EXT4_XATTR_TOO_LARGE",
      message: `the names of ${xattrs.length} attributes do not fit one block`,
      details: { attributes: xattrs.length },
    });
  }
  const bySize = [...stored].sort((a, b) => b.value.byteLength - a.value.byteLength);
  const outside = new Set<StoredXattr>();
  let layout = tryPlaces(stored);
  let bytes = stored.reduce((sum, xattr) => sum + xattrBytes(xattr), 0);
  for (const largest of bySize) {
    if (layout !== undefined) break;
    outside.add(largest);
    bytes -= xattrValueBytes(largest);
    // Hundreds of large ones are not all tried.
    if (bytes > inInodeRoom + inBlockRoom) continue;
    layout = tryPlaces(stored.map((xattr) => (outside.has(xattr) ? moved(xattr) : xattr)));
  }
  return layout as XattrLayout;
}

/**
 * The same layout for a symlink whose target is in its inode. With a value elsewhere it needs an attribute block: e2fsck 1.47
 * takes an inode that has blocks of other inodes and no such block for one whose target is in a block.
 */
export function layOutShortSymlink(layout: XattrLayout): XattrLayout {
  const isOutside = ({ place }: StoredXattr): boolean => place === "inode";
  if (layout.inBlock.length > 0 || !layout.inInode.some(isOutside)) return layout;
  return {
    inInode: layout.inInode.filter((xattr) => !isOutside(xattr)),
    inBlock: layout.inInode.filter(isOutside),
  };
}

function tryPlaces(stored: readonly StoredXattr[]): XattrLayout | undefined {
  const inInode: StoredXattr[] = [];
  const inBlock: StoredXattr[] = [];
  let inodeRoom = inInodeRoom;
  let blockRoom = inBlockRoom;
  for (const xattr of stored) {
    const bytes = xattrBytes(xattr);
    if (bytes <= inodeRoom) {
      inInode.push(xattr);
      inodeRoom -= bytes;
    } else {
      inBlock.push(xattr);
      blockRoom -= bytes;
    }
  }
  return blockRoom < 0 ? undefined : { inInode, inBlock };
}

function store({ name, value }: NodeXattr): StoredXattr {
  const parts = splitXattrName(name) as XattrNameParts;
  return { ...parts, value: isAclIndex(parts.index) ? encodeAcl(value) : value, place: "inline" };
}

function moved(xattr: StoredXattr): StoredXattr {
  return { ...xattr, place: "inode" };
}

/** The order in which the kernel looks for attributes: index, length of the name, name. */
function compareStored(a: StoredXattr, b: StoredXattr): number {
  const byLength = a.index - b.index || a.suffix.byteLength - b.suffix.byteLength;
  if (byLength !== 0) return byLength;
  for (let i = 0; i < a.suffix.byteLength; i++) {
    const difference = (a.suffix[i] as number) - (b.suffix[i] as number);
    if (difference !== 0) return difference;
  }
  return 0;
}

function roundUp4(length: number): number {
  return (length + 3) & ~3;
}
