import { crc32c, crc32cOfWord } from "../format/crc32c.ts";
import { inodeFlags } from "../format/numbers.ts";
import type { NodeXattr } from "../tree/attributes.ts";
import { decodeAcl } from "../xattr/acl.ts";
import { isAclIndex, joinXattrName } from "../xattr/xattr-name.ts";
import type { InodeRecord } from "./inode-record.ts";
import { readError } from "./read-error.ts";
import type { Volume } from "./volume.ts";

/** Reads the whole content of an inode. */
export type ReadContent = (inode: InodeRecord, maxBytes: number) => Promise<Uint8Array>;

const magic = 0xea020000;
const entryBytes = 16;
const blockHeaderBytes = 32;
const systemIndex = 7;
const maxValueBytes = 65_536;

/** Reads attributes: those in the inode, then those in its block. */
export class XattrReader {
  readonly #volume: Volume;
  readonly #readContent: ReadContent;

  constructor(volume: Volume, readContent: ReadContent) {
    this.#volume = volume;
    this.#readContent = readContent;
  }

  /** All attributes of an inode but `system.data`, sorted by name. ACLs are in the form that getxattr shows. */
  async readAll(inode: InodeRecord): Promise<NodeXattr[]> {
    const found: NodeXattr[] = [];
    for await (const { index, suffix, value } of this.#entries(inode)) {
      const name = joinXattrName({ index, suffix });
      if (name === undefined || isInlineData(index, suffix)) continue;
      const shown = isAclIndex(index) ? decodeAcl(value) : value;
      if (shown === undefined) throw badXattr(inode, "has an ACL that is none");
      found.push({ name, value: shown });
    }
    return found.sort((a, b) => compareBytes(a.name, b.name));
  }

  /** The part of inline content that lies among the attributes. */
  async readInlineData(inode: InodeRecord): Promise<Uint8Array> {
    for await (const { index, suffix, value } of this.#entries(inode)) {
      if (isInlineData(index, suffix)) return value;
    }
    return new Uint8Array(0);
  }

  async *#entries(
    inode: InodeRecord,
  ): AsyncGenerator<{ index: number; suffix: Uint8Array; value: Uint8Array }> {
    const { extra } = inode;
    if (extra.byteLength >= 4 && viewOf(extra).getUint32(0, true) === magic) {
      yield* this.#parse(inode, extra, 4, 4);
    }
    if (inode.xattrBlock === 0) return;
    const block = await this.#volume.block(inode.xattrBlock);
    if (viewOf(block).getUint32(0, true) !== magic) throw badXattr(inode, "has no attribute block");
    this.#validateChecksum(inode, block);
    yield* this.#parse(inode, block, blockHeaderBytes, 0);
  }

  /** Reads entries from `start` on; the offsets of their values count from `base`. */
  async *#parse(
    inode: InodeRecord,
    bytes: Uint8Array,
    start: number,
    base: number,
  ): AsyncGenerator<{ index: number; suffix: Uint8Array; value: Uint8Array }> {
    const view = viewOf(bytes);
    for (let at = start; at + 4 <= bytes.byteLength && view.getUint32(at, true) !== 0; ) {
      const nameLength = bytes[at] as number;
      if (at + entryBytes + nameLength > bytes.byteLength) {
        throw badXattr(inode, "has an attribute whose name leaves its space");
      }
      const index = bytes[at + 1] as number;
      const suffix = bytes.slice(at + entryBytes, at + entryBytes + nameLength);
      const size = view.getUint32(at + 8, true);
      const valueInode = view.getUint32(at + 4, true);
      const offset = base + view.getUint16(at + 2, true);
      if (size > maxValueBytes || (valueInode === 0 && offset + size > bytes.byteLength)) {
        throw badXattr(inode, "has an attribute whose value leaves its space");
      }
      const value =
        valueInode === 0
          ? bytes.slice(offset, offset + size)
          : await this.#readValue(inode, valueInode, size);
      yield { index, suffix, value };
      at += entryBytes + ((nameLength + 3) & ~3);
    }
  }

  async #readValue(owner: InodeRecord, number: number, size: number): Promise<Uint8Array> {
    const inode = await this.#volume.inode(number);
    const isValue = (inode.flags & inodeFlags.eaInode) !== 0 && inode.sizeBytes === size;
    if (!isValue) throw badXattr(owner, `has a value in inode ${number}, which holds none`);
    return this.#readContent(inode, maxValueBytes);
  }

  #validateChecksum(inode: InodeRecord, block: Uint8Array): void {
    const seed = this.#volume.info.checksumSeed;
    if (seed === undefined) return;
    const low = inode.xattrBlock % 2 ** 32;
    const ofBlock = crc32cOfWord(crc32cOfWord(seed, low), Math.floor(inode.xattrBlock / 2 ** 32));
    const checksum = crc32c(
      crc32c(crc32c(ofBlock, block, 0, 16), new Uint8Array(4)),
      block,
      20,
      block.byteLength,
    );
    if (checksum === viewOf(block).getUint32(16, true)) return;
    const message = `the checksum of the attribute block of inode ${inode.number} is wrong`;
    throw readError("EXT4_BAD_CHECKSUM", message, { inode: inode.number });
  }
}

function isInlineData(index: number, suffix: Uint8Array): boolean {
  return index === systemIndex && new TextDecoder().decode(suffix) === "data";
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function badXattr(inode: InodeRecord, what: string): Error {
  return readError("EXT4_BAD_XATTR", `inode ${inode.number} ${what}`, { inode: inode.number });
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < Math.min(a.byteLength, b.byteLength); i++) {
    if (a[i] !== b[i]) return (a[i] as number) - (b[i] as number);
  }
  return a.byteLength - b.byteLength;
}
