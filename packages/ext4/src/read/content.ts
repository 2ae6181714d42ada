import type { RandomAccess } from "@box/io";
import type { DataRun } from "../tree/attributes.ts";
import { findRun } from "./block-map.ts";
import { hasInlineData, type InodeRecord } from "./inode-record.ts";
import { readError } from "./read-error.ts";
import type { Volume } from "./volume.ts";
import { XattrReader } from "./xattr-reader.ts";

const maxReadBytes = 2 ** 20;

/** Reads what inodes hold. */
export class ContentReader {
  readonly #volume: Volume;
  /** The attributes, where inline content may go on. */
  readonly xattrs: XattrReader;

  constructor(volume: Volume) {
    this.#volume = volume;
    this.xattrs = new XattrReader(volume, (inode, maxBytes) => this.whole(inode, maxBytes));
  }

  /** The whole content in one piece. */
  async whole(inode: InodeRecord, maxBytes: number): Promise<Uint8Array> {
    if (inode.sizeBytes > maxBytes) {
      const message = `inode ${inode.number} holds ${inode.sizeBytes} bytes, more than ${maxBytes}`;
      throw readError("EXT4_OVER_LIMIT", message, { inode: inode.number });
    }
    return this.read(inode, 0, inode.sizeBytes);
  }

  /** Up to `length` bytes at `offset`, fewer only where the content ends. Holes are zeros. */
  async read(inode: InodeRecord, offset: number, length: number): Promise<Uint8Array> {
    const end = Math.min(offset + length, inode.sizeBytes);
    const bytes = new Uint8Array(Math.max(0, end - offset));
    if (hasInlineData(inode)) {
      bytes.set((await this.inline(inode)).subarray(offset, end));
      return bytes;
    }
    const { blockBytes } = this.#volume.info;
    for (let at = offset; at < end; ) {
      const inBlock = at % blockBytes;
      const run = await findRun(this.#volume, inode, Math.floor(at / blockBytes));
      const taken = Math.min(end - at, run.blocks * blockBytes - inBlock, maxReadBytes);
      if (run.physical > 0) {
        bytes.set(await this.#volume.content(run.physical, inBlock, taken), at - offset);
      }
      at += run.physical > 0 ? taken : Math.min(end - at, run.blocks * blockBytes - inBlock);
    }
    return bytes;
  }

  /** Content that lies in the inode: in place of the block map, then among the attributes. */
  async inline(inode: InodeRecord): Promise<Uint8Array> {
    const rest = await this.xattrs.readInlineData(inode);
    const content = new Uint8Array(inode.map.byteLength + rest.byteLength);
    content.set(inode.map);
    content.set(rest, inode.map.byteLength);
    return content.subarray(0, inode.sizeBytes);
  }

  /** The parts of a file that have blocks, joined where they meet, cut at the file's end. */
  async *dataRuns(inode: InodeRecord): AsyncGenerator<DataRun> {
    const { blockBytes } = this.#volume.info;
    if (hasInlineData(inode)) {
      if (inode.sizeBytes > 0) yield { offset: 0, length: inode.sizeBytes };
      return;
    }
    const blocks = Math.ceil(inode.sizeBytes / blockBytes);
    let start = -1;
    for (let logical = 0; logical < blocks; ) {
      const run = await findRun(this.#volume, inode, logical);
      if (run.physical > 0 && start < 0) start = logical;
      if (run.physical === 0 && start >= 0) {
        yield { offset: start * blockBytes, length: (logical - start) * blockBytes };
        start = -1;
      }
      logical += run.blocks;
    }
    if (start >= 0) {
      const offset = start * blockBytes;
      yield { offset, length: inode.sizeBytes - offset };
    }
  }

  /** A file as something that can be read at any offset. */
  open(inode: InodeRecord): RandomAccess {
    return {
      size: async () => inode.sizeBytes,
      read: async (offset, length, into) => {
        const bytes = await this.read(inode, offset, length);
        if (into === undefined) return bytes;
        into.set(bytes);
        return into.subarray(0, bytes.byteLength);
      },
    };
  }
}
