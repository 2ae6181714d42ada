import type { RandomAccess } from "@box/io";
import { viewOf, writeU64 } from "../bytes/big-endian.ts";
import { SpareBuffers } from "../bytes/spare-buffers.ts";
import type { Codec, CompressionType } from "../codec/codec.ts";
import type { CreateRequest } from "../create/create-options.ts";
import { buildHeaderCluster } from "../create/header-cluster.ts";
import { planHeader } from "../create/plan-image.ts";
import { planLayout } from "../create/plan-layout.ts";
import { prepareTarget, writePieces } from "../create/target.ts";
import type { ImagePiece } from "../create/write-metadata.ts";
import { Qcow2Error } from "../errors.ts";
import { refcountsPerBlock, writeRefcount } from "../refcount/refcount-block.ts";
import { copiedFlagHigh } from "../tables/l1-entry.ts";
import { writeCompressedEntry } from "../tables/l2-entry.ts";
import { HostLayout } from "./host-layout.ts";
import type { SourceChunk } from "./source-chunks.ts";
import { dataRanges, isAllZeros } from "./zero-blocks.ts";

/** Where the refcounts of a new image go. */
interface RefcountPlace {
  readonly tableOffset: number;
  readonly tableClusters: number;
  readonly blocksOffset: number;
  readonly blocks: number;
}

type Compress = NonNullable<Codec["compress"]>;

/** Of the memory that clusters are compressed into and packed in: that of four chunks. */
const maxSpareBytes = 16 * 2 ** 20;

/** Writes a disk as a fresh image: data one behind the other, then the tables, and the header last. */
export class Qcow2Target {
  /** Chunks start at multiples of a cluster. */
  readonly alignBytes: number;
  readonly #target: RandomAccess;
  readonly #request: CreateRequest;
  readonly #compress: Compress | undefined;
  readonly #layout: HostLayout;
  readonly #entryBytes: number;
  readonly #l1: Float64Array;
  readonly #spare = new SpareBuffers(maxSpareBytes);
  #inOrder: Promise<unknown> = Promise.resolve();
  #table: { readonly index: number; readonly bytes: Uint8Array } | undefined;

  private constructor(
    target: RandomAccess,
    request: CreateRequest,
    compress: Compress | undefined,
    l1Entries: number,
  ) {
    this.#target = target;
    this.#request = request;
    this.#compress = compress;
    this.alignBytes = 2 ** request.clusterBits;
    this.#entryBytes = request.hasExtendedL2 ? 16 : 8;
    this.#layout = new HostLayout(request.clusterBits, request.refcountOrder);
    this.#l1 = new Float64Array(l1Entries);
    this.#layout.take(1);
  }

  /** Prepares an empty file. Whether the disk fits the format is judged before anything is written. */
  static async create(
    target: RandomAccess,
    request: CreateRequest,
    compress: Compress | undefined,
  ): Promise<Qcow2Target> {
    const { l1Entries } = planLayout({
      ...request,
      preallocatesL2: false,
      preallocatesData: false,
    });
    await prepareTarget(target, 0);
    return new Qcow2Target(target, request, compress, l1Entries);
  }

  /** Takes the next chunk. Chunks come in order; what is left out between them reads as zeros. */
  async write(chunk: SourceChunk): Promise<void> {
    const bytes = padded(chunk.bytes, this.alignBytes);
    if (this.#compress) {
      await this.#writeCompressed(chunk.start, bytes, this.#compress);
      return;
    }
    const pieces = [];
    for (const { from, to } of dataRanges(bytes, this.alignBytes)) {
      const offset = this.#layout.take((to - from) / this.alignBytes);
      for (let at = from; at < to; at += this.alignBytes) {
        pieces.push(...this.#link(chunk.start + at, offset + at - from));
      }
      pieces.push({ offset, bytes: bytes.subarray(from, to) });
    }
    await writePieces(this.#target, pieces);
  }

  /** Writes the tables and then the header. */
  async finish(): Promise<void> {
    await writePieces(this.#target, this.#closeTable());
    const l1 = new Uint8Array(this.#l1.length * 8);
    for (const [index, offset] of this.#l1.entries()) {
      if (offset !== 0) writeCopied(viewOf(l1), index * 8, offset);
    }
    const clusterSize = this.alignBytes;
    const l1Offset = this.#layout.take(Math.ceil(l1.byteLength / clusterSize));
    const refcounts = this.#takeRefcounts();
    await writePieces(this.#target, [{ offset: l1Offset, bytes: l1 }]);
    await writePieces(this.#target, this.#refcountPieces(refcounts));
    const header = planHeader(this.#request, {
      l1Entries: this.#l1.length,
      l1Offset,
      refcountTableOffset: refcounts.tableOffset,
      refcountTableClusters: refcounts.tableClusters,
    });
    // The header goes last: a file that was cut while being made has no magic and is known to be unfinished.
    await writePieces(this.#target, [{ offset: 0, bytes: buildHeaderCluster({ header }) }]);
  }

  /** Compresses the clusters of a chunk at the same time, and packs them in order. */
  async #writeCompressed(start: number, bytes: Uint8Array, compress: Compress): Promise<void> {
    const type: CompressionType = this.#request.compressionType;
    const clusters: { at: number; plain: Uint8Array; packed: Promise<Uint8Array> }[] = [];
    const room = this.#spare.take(bytes.byteLength);
    for (let at = 0; at < bytes.byteLength; at += this.alignBytes) {
      const plain = bytes.subarray(at, at + this.alignBytes);
      if (isAllZeros(plain)) continue;
      const into = room.subarray(at, at + this.alignBytes);
      clusters.push({ at, plain, packed: compress(type, plain, into) });
    }
    const order = this.#inOrder;
    const packed = Promise.all(clusters.map((cluster) => cluster.packed));
    const placed = Promise.all([packed, order]).then(([results]) =>
      clusters.flatMap(({ at, plain }, index) =>
        this.#place(start + at, plain, results[index] ?? plain),
      ),
    );
    this.#inOrder = placed.catch(() => {});
    const pieces = await placed;
    const total = pieces.reduce((sum, piece) => sum + piece.bytes.byteLength, 0);
    const packedRoom = this.#spare.take(total);
    await writePieces(this.#target, joined(pieces, packedRoom));
    this.#spare.give(room);
    this.#spare.give(packedRoom);
  }

  #place(guest: number, plain: Uint8Array, packed: Uint8Array): ImagePiece[] {
    if (packed.byteLength === 0) throw compressedToNothing();
    if (packed.byteLength >= plain.byteLength) {
      const offset = this.#layout.take(1);
      return [...this.#link(guest, offset), { offset, bytes: plain }];
    }
    const pieces = this.#openTable(guest);
    const offset = this.#layout.pack(packed.byteLength);
    const { clusterBits } = this.#request;
    const { view, position } = this.#entry(guest);
    writeCompressedEntry(view, position, offset, packed.byteLength, clusterBits);
    return [...pieces, { offset, bytes: packed }];
  }

  /** Notes where a cluster of the disk is. */
  #link(guest: number, offset: number): ImagePiece[] {
    const pieces = this.#openTable(guest);
    const { view, position } = this.#entry(guest);
    writeCopied(view, position, offset);
    if (this.#entryBytes === 16) view.setUint32(position + 12, 0xffffffff);
    return pieces;
  }

  #entry(guest: number): { view: DataView; position: number } {
    const perTable = this.alignBytes / this.#entryBytes;
    const index = (guest / this.alignBytes) % perTable;
    if (this.#table === undefined) throw new Error("no L2 table is open");
    return { view: viewOf(this.#table.bytes), position: index * this.#entryBytes };
  }

  /** Begins the L2 table of a cluster; the one before is complete then. */
  #openTable(guest: number): ImagePiece[] {
    const perTable = this.alignBytes / this.#entryBytes;
    const index = Math.floor(guest / this.alignBytes / perTable);
    if (this.#table?.index === index) return [];
    const pieces = this.#closeTable();
    this.#table = { index, bytes: new Uint8Array(this.alignBytes) };
    return pieces;
  }

  #closeTable(): ImagePiece[] {
    if (this.#table === undefined) return [];
    const { index, bytes } = this.#table;
    this.#table = undefined;
    const offset = this.#layout.take(1);
    this.#l1[index] = offset;
    return [{ offset, bytes }];
  }

  #takeRefcounts(): RefcountPlace {
    const { clusterBits, refcountOrder } = this.#request;
    const perBlock = refcountsPerBlock(clusterBits, refcountOrder);
    let blocks = 1;
    let tableClusters = 1;
    for (;;) {
      const needed = Math.ceil((this.#layout.clusters + blocks + tableClusters) / perBlock);
      tableClusters = Math.ceil((needed * 8) / this.alignBytes);
      if (needed <= blocks) break;
      blocks = needed;
    }
    const tableOffset = this.#layout.take(tableClusters);
    return { tableOffset, tableClusters, blocksOffset: this.#layout.take(blocks), blocks };
  }

  *#refcountPieces(place: RefcountPlace): Generator<ImagePiece> {
    const { clusterBits, refcountOrder } = this.#request;
    const perBlock = refcountsPerBlock(clusterBits, refcountOrder);
    const table = new Uint8Array(place.tableClusters * this.alignBytes);
    for (let index = 0; index < place.blocks; index++) {
      const offset = place.blocksOffset + index * this.alignBytes;
      writeU64(viewOf(table), index * 8, offset);
      const bytes = new Uint8Array(this.alignBytes);
      for (let at = 0; at < perBlock; at++) {
        const cluster = index * perBlock + at;
        if (cluster >= this.#layout.clusters) break;
        writeRefcount(bytes, at, refcountOrder, this.#layout.refcount(cluster));
      }
      yield { offset, bytes };
    }
    yield { offset: place.tableOffset, bytes: table };
  }
}

function padded(bytes: Uint8Array, alignBytes: number): Uint8Array {
  if (bytes.byteLength % alignBytes === 0) return bytes;
  const whole = new Uint8Array(Math.ceil(bytes.byteLength / alignBytes) * alignBytes);
  whole.set(bytes);
  return whole;
}

/**
 * Joins pieces that lie next to each other, so that many small ones become one write.
 *
 * @param room - Where they are put together, as large as all of them.
 */
function joined(pieces: readonly ImagePiece[], room: Uint8Array): ImagePiece[] {
  const groups: { offset: number; end: number; parts: Uint8Array[] }[] = [];
  for (const { offset, bytes } of [...pieces].sort((a, b) => a.offset - b.offset)) {
    const last = groups.at(-1);
    if (last?.end === offset) {
      last.parts.push(bytes);
      last.end += bytes.byteLength;
    } else groups.push({ offset, end: offset + bytes.byteLength, parts: [bytes] });
  }
  let at = 0;
  return groups.map(({ offset, parts }) => {
    const [only] = parts;
    if (parts.length === 1 && only) return { offset, bytes: only };
    const from = at;
    for (const part of parts) {
      room.set(part, at);
      at += part.byteLength;
    }
    return { offset, bytes: room.subarray(from, at) };
  });
}

function writeCopied(view: DataView, position: number, offset: number): void {
  writeU64(view, position, offset);
  view.setUint32(position, (view.getUint32(position) | copiedFlagHigh) >>> 0);
}

function compressedToNothing(): Qcow2Error {
  return new Qcow2Error({
    code: "QCOW2_INVALID_ARGUMENT",
    message: "the codec compressed a cluster to no bytes, which cannot be read again",
    hint: "use another codec",
  });
}
