import type { RandomAccess } from "@box/io";
import { Ext4Error, type Ext4ErrorCode, ext4ErrorKinds } from "../errors.ts";
import { inodes } from "../format/numbers.ts";
import { findRun } from "./block-map.ts";
import { firstClear, hasBit, readBitmap } from "./block-usage.ts";
import { ClaimedBlocks } from "./claimed-blocks.ts";
import { ContentReader } from "./content.ts";
import { readEntries } from "./directory-reader.ts";
import { hasInlineData, type InodeRecord } from "./inode-record.ts";
import { Volume } from "./volume.ts";

/** One rule that an image breaks. */
export interface Ext4Finding {
  /** Which rule. */
  readonly code: Ext4ErrorCode;
  /** One sentence for people. */
  readonly message: string;
  /** Where: inode, block or group, as far as it is known. */
  readonly details: Readonly<Record<string, unknown>>;
}

/** How an image is verified. */
export interface VerifyExt4Options {
  /** Findings after which it gives up; 1,000 unless given. */
  readonly maxFindings?: number;
  /** Stops between two inodes, and between two extents of one. */
  readonly signal?: AbortSignal;
}

/** What {@link verifyExt4} found. */
export interface VerifyExt4Report {
  /** Every rule that is broken; none for a sound image. */
  readonly findings: readonly Ext4Finding[];
  /** Files, directories and other nodes that were reached. */
  readonly nodeCount: number;
  /** Whether it gave up after too many findings. */
  readonly isCut: boolean;
}

/**
 * Reads all metadata of an image and reports what is wrong: checksums, directories, extents, attributes, counts of links,
 * blocks that belong to two files or are marked free, bitmaps and free counts. The content of files has no checksums in
 * ext4: it is not judged. Changes nothing.
 *
 * @throws {@link Ext4Error} when there is no file system that can be read, or one with features that this reader lacks; what
 * the source throws: a failure to read is no finding.
 */
export async function verifyExt4(
  source: RandomAccess,
  options: VerifyExt4Options = {},
): Promise<VerifyExt4Report> {
  const volume = await Volume.open(source, false);
  const verifier = new Verifier(volume, options);
  try {
    await verifier.walk();
    await verifier.compareBitmaps();
  } catch (error) {
    if (!(error instanceof TooManyFindings)) throw error;
  }
  const { findings, nodeCount } = verifier;
  return { findings, nodeCount, isCut: findings.length > (options.maxFindings ?? 1000) };
}

class TooManyFindings extends Error {}

class Verifier {
  readonly findings: Ext4Finding[] = [];
  readonly #volume: Volume;
  readonly #content: ContentReader;
  readonly #options: VerifyExt4Options;
  readonly #claimed: ClaimedBlocks = new ClaimedBlocks();
  /** How many names each inode was found under; a directory counts its `.`, and its children's `..`. */
  readonly #names: Map<number, number> = new Map();

  constructor(volume: Volume, options: VerifyExt4Options) {
    this.#volume = volume;
    this.#content = new ContentReader(volume);
    this.#options = options;
  }

  get nodeCount(): number {
    return this.#names.size;
  }

  async walk(): Promise<void> {
    this.#names.set(inodes.root, 2);
    const pending = [inodes.root as number];
    for (let inode = pending.pop(); inode !== undefined; inode = pending.pop()) {
      const directory = inode;
      await this.#collect(async () => {
        const record = await this.#volume.inode(directory);
        if (record.type !== "directory") return;
        await this.#claim(record);
        for await (const { inode: child } of readEntries(this.#volume, this.#content, record)) {
          this.#options.signal?.throwIfAborted();
          await this.#collect(() => this.#visit(directory, child, pending));
        }
      });
    }
    for (const [inode, names] of this.#names) {
      await this.#collect(async () => {
        const { links, type } = await this.#volume.inode(inode);
        const isUncounted = type === "directory" && links === 1;
        if (links === names || isUncounted) return;
        const message = `inode ${inode} counts ${links} links, ${names} were found`;
        this.#report("EXT4_BAD_INODE", message, { inode });
      });
    }
  }

  /** Compares the bitmaps with what was reached, and the free counts with the superblock's. */
  async compareBitmaps(): Promise<void> {
    const { info } = this.#volume;
    const before = this.findings.length;
    let freeBlocks = 0;
    let freeInodes = 0;
    const inUse = new Set<number>();
    for (const inode of this.#names.keys()) {
      inUse.add(Math.floor((inode - 1) / info.inodesPerGroup));
    }
    for (let group = 0; group < info.groupCount; group++) {
      this.#options.signal?.throwIfAborted();
      await this.#collect(async () => {
        const descriptor = await this.#volume.descriptor(group);
        const blocks = await readBitmap(this.#volume, group, "blocks");
        freeBlocks += blocks?.free ?? descriptor.getUint16(0x0c, true);
        const nodes = await readBitmap(this.#volume, group, "inodes");
        freeInodes += nodes?.free ?? info.inodesPerGroup;
        this.#compareBlocks(group, blocks?.bits);
        if (inUse.has(group)) this.#compareInodes(group, nodes?.bits);
      });
    }
    // Counts of groups that could not be read are missing from the sums.
    if (this.findings.length > before) return;
    if (freeBlocks === info.freeBlocks && freeInodes === info.freeInodes) return;
    const message = `the superblock counts ${info.freeBlocks} free blocks and ${info.freeInodes} free inodes, the groups ${freeBlocks} and ${freeInodes}`;
    this.#report("EXT4_BAD_SUPERBLOCK", message, {});
  }

  async #visit(parent: number, inode: number, pending: number[]): Promise<void> {
    const record = await this.#volume.inode(inode);
    const names = this.#names.get(inode);
    if (record.type === "directory") {
      if (names !== undefined) {
        const message = `directory ${inode} has two names`;
        this.#report("EXT4_BAD_DIRECTORY", message, { inode });
        return;
      }
      this.#names.set(inode, 2);
      this.#names.set(parent, (this.#names.get(parent) as number) + 1);
      pending.push(inode);
    } else {
      this.#names.set(inode, (names ?? 0) + 1);
      if (names === undefined && (record.type === "file" || record.type === "symlink")) {
        await this.#claim(record);
      }
    }
    if (names === undefined) await this.#content.xattrs.readAll(record);
  }

  /** Claims the blocks of an inode's content. */
  async #claim(inode: InodeRecord): Promise<void> {
    const { blockBytes, blockCount } = this.#volume.info;
    if (hasInlineData(inode) || (inode.type === "symlink" && inode.sizeBytes < 60)) return;
    const blocks = Math.ceil(inode.sizeBytes / blockBytes);
    for (let logical = 0; logical < blocks; ) {
      this.#options.signal?.throwIfAborted();
      const run = await findRun(this.#volume, inode, logical);
      const count = Math.min(run.blocks, blocks - logical);
      const first = run.reserved ?? run.physical;
      if (first > 0) {
        if (first + count > blockCount) {
          const message = `inode ${inode.number} has blocks past the end of the file system`;
          this.#report("EXT4_BAD_BLOCK", message, { inode: inode.number, block: first });
          return;
        }
        this.#claimRun(inode, first, count);
      }
      logical += run.blocks;
    }
  }

  #claimRun(inode: InodeRecord, first: number, blocks: number): void {
    const taken = this.#claimed.claim(first, blocks);
    if (taken !== undefined) {
      const message = `inode ${inode.number} has block ${taken}, which belongs to another one`;
      this.#report("EXT4_BAD_EXTENTS", message, { inode: inode.number, block: taken });
    }
  }

  #compareBlocks(group: number, bits: Uint8Array | undefined): void {
    const { blocksPerGroup, firstDataBlock } = this.#volume.info;
    const start = firstDataBlock + group * blocksPerGroup;
    for (const [first, end] of this.#claimed.within(start, start + blocksPerGroup)) {
      const clear =
        bits === undefined ? first - start : firstClear(bits, first - start, end - start);
      if (clear === undefined) continue;
      const block = start + clear;
      const message = `block ${block} is in use and marked free`;
      this.#report("EXT4_BAD_BLOCK", message, { block, group });
      return;
    }
  }

  #compareInodes(group: number, bits: Uint8Array | undefined): void {
    const { inodesPerGroup } = this.#volume.info;
    for (let index = 0; index < inodesPerGroup; index++) {
      const inode = group * inodesPerGroup + index + 1;
      if (!this.#names.has(inode)) continue;
      if (bits !== undefined && hasBit(bits, index)) continue;
      this.#report("EXT4_BAD_INODE", `inode ${inode} is in use and marked free`, { inode, group });
      return;
    }
  }

  /** Does a part of the work; what is wrong with the image becomes a finding, and the rest goes on. */
  async #collect(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof Ext4Error) || ext4ErrorKinds[error.code] !== "corrupt") throw error;
      this.#report(error.code, error.message, error.details);
    }
  }

  #report(code: Ext4ErrorCode, message: string, details: Ext4Finding["details"]): void {
    this.findings.push({ code, message, details });
    if (this.findings.length > (this.#options.maxFindings ?? 1000)) throw new TooManyFindings();
  }
}
