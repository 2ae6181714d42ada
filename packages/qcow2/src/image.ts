import type { RandomAccess } from "@box/io";
import { MemoryBudget } from "./bytes/budget.ts";
import { type SourceReader, throwIfAborted } from "./bytes/source-reader.ts";
import type { OpenImageOptions } from "./chain/open-options.ts";
import { type ImageDescription, readDescription, type Snapshot } from "./describe/describe.ts";
import { Qcow2Error } from "./errors.ts";
import { formatLimits } from "./header/layout.ts";
import type { ImageInfo } from "./inspect/image-info.ts";
import type { HeaderArea } from "./inspect/read-header.ts";
import type { Extent } from "./read/disk-layer.ts";
import type { Qcow2Layer } from "./read/qcow2-layer.ts";
import type { ImageWriter } from "./write/image-writer.ts";
import type { ResizeOptions } from "./write/resize.ts";

/** A range of a virtual disk. */
export interface ExtentsOptions {
  /** First byte; 0 unless given. */
  readonly start?: number;
  /** Length in bytes; to the end of the disk unless given. */
  readonly length?: number;
}

const defaultMetadataBytes = 64 * 2 ** 20;

/** An image that is open: its virtual disk is read like a file. Made by `openImage`. */
export class Qcow2Image implements RandomAccess, AsyncDisposable {
  /** What the header says. */
  readonly info: ImageInfo;
  readonly #layer: Qcow2Layer;
  readonly #area: HeaderArea;
  readonly #reader: SourceReader;
  readonly #options: OpenImageOptions;
  readonly #writer: ImageWriter | undefined;
  readonly #isSnapshot: boolean;
  #isClosed = false;

  /** @internal */
  constructor(
    layer: Qcow2Layer,
    info: ImageInfo,
    area: HeaderArea,
    reader: SourceReader,
    options: OpenImageOptions,
    writer: ImageWriter | undefined,
    isSnapshot = false,
  ) {
    this.info = info;
    this.#writer = writer;
    this.#layer = layer;
    this.#area = area;
    this.#reader = reader;
    this.#options = options;
    this.#isSnapshot = isSnapshot;
  }

  /** Size of the virtual disk in bytes. */
  get sizeBytes(): number {
    return this.#layer.sizeBytes;
  }

  /** Size of the virtual disk in bytes. */
  async size(): Promise<number> {
    return this.sizeBytes;
  }

  /**
   * Reads `length` bytes of the virtual disk at `offset`, fewer only where it ends.
   *
   * @param into - Filled from its start when given, at least `length` bytes; the result is then a view of it.
   * @throws {@link Qcow2Error} of kind corrupt, io, or another kind of a source's own.
   */
  async read(offset: number, length: number, into?: Uint8Array): Promise<Uint8Array> {
    this.#requireOpen();
    requireRange(offset, length);
    const inside = Math.max(0, Math.min(length, this.sizeBytes - offset));
    const bytes = into?.subarray(0, inside) ?? new Uint8Array(inside);
    if (inside === 0) return bytes;
    const reading = this.#layer.readInto(offset, bytes);
    await (this.#writer?.track(reading) ?? reading);
    return bytes;
  }

  /**
   * Writes bytes at `offset` of the virtual disk, all of them inside it. They can be read at once and are safe from a
   * crash after {@link Qcow2Image.flush}. Writes run one after another; the caller keeps `bytes` until it resolves.
   *
   * @throws {@link Qcow2Error} `QCOW2_READ_ONLY`, `QCOW2_INVALID_ARGUMENT`, `QCOW2_OVERLAP` (the image is then marked
   * corrupt), `QCOW2_TABLE_TOO_LARGE`, or what the storage failed with; some of the bytes may be written then.
   */
  async write(offset: number, bytes: Uint8Array): Promise<void> {
    await this.#requireWriter(offset, bytes.byteLength).write(offset, bytes);
  }

  /** Makes a range read as zeros and gives its clusters back. Errors as {@link Qcow2Image.write}. */
  async writeZeroes(offset: number, length: number): Promise<void> {
    await this.#requireWriter(offset, length).zero(offset, length, "zero");
  }

  /**
   * Says that the content of a range is not needed any more. Whole clusters in it are given back and read as zeros then;
   * the rest stays as it is, and so does all of it where a raw data file or a version 2 backing file stands against it.
   */
  async discard(offset: number, length: number): Promise<void> {
    await this.#requireWriter(offset, length).zero(offset, length, "hint");
  }

  /**
   * Changes the size of the disk. A new part reads as zeros, also where a longer backing file would show through. A
   * smaller size needs the option `shrink` and loses what lies behind it; snapshots keep theirs. A crash leaves the old
   * size or the new one.
   *
   * @throws {@link Qcow2Error} `QCOW2_UNSUPPORTED_FEATURE` for a raw data file, version 2 with snapshots, a smaller size
   * with bitmaps, and preallocation in a data file; `QCOW2_INVALID_ARGUMENT`, `QCOW2_IMAGE_TOO_LARGE`, or as
   * {@link Qcow2Image.write}.
   */
  async resize(sizeBytes: number, options: ResizeOptions = {}): Promise<void> {
    await this.#requireWriter(0, 0).resize(sizeBytes, options);
  }

  /** As {@link Qcow2Image.writeZeroes}, under the name that `RandomAccess` has for it. */
  async punchHole(offset: number, length: number): Promise<void> {
    await this.writeZeroes(offset, length);
  }

  /** Resolves once everything written before is on stable storage. */
  async flush(): Promise<void> {
    this.#requireOpen();
    await this.#writer?.flush();
  }

  /** Says where each part of the virtual disk has its bytes, in order, over the whole chain. Reads no data. */
  async *extents(options: ExtentsOptions = {}): AsyncGenerator<Extent> {
    this.#requireOpen();
    const { start = 0, length = Math.max(0, this.sizeBytes - start) } = options;
    requireRange(start, length);
    let pending: Extent | undefined;
    for await (const extent of this.#layer.extents(start, length, 0)) {
      throwIfAborted(this.#options.signal);
      const joined = pending && joinExtents(pending, extent);
      if (pending && !joined) yield pending;
      pending = joined ?? extent;
    }
    if (pending) yield pending;
  }

  /** Reads what the header does not say: snapshots, bitmaps, how it is encrypted. */
  async describe(): Promise<ImageDescription> {
    this.#requireOpen();
    const budget = new MemoryBudget(this.#options.limits?.maxMetadataBytes ?? defaultMetadataBytes);
    return readDescription(this.#reader, this.#area, budget);
  }

  /** Lists the internal snapshots. */
  async snapshots(): Promise<readonly Snapshot[]> {
    return (await this.describe()).snapshots;
  }

  /**
   * Opens an internal snapshot for reading. It lives as long as this image and needs no closing of its own.
   *
   * @param idOrName - Its id, or its name when no id matches.
   * @throws {@link Qcow2Error} `QCOW2_SNAPSHOT_NOT_FOUND`, `QCOW2_SNAPSHOT_INVALID`.
   */
  async openSnapshot(idOrName: string): Promise<Qcow2Image> {
    const snapshots = await this.snapshots();
    const found =
      snapshots.find(({ id }) => id === idOrName) ??
      snapshots.find(({ name }) => name === idOrName);
    if (found === undefined) {
      throw new Qcow2Error({
        code: "QCOW2_SNAPSHOT_NOT_FOUND",
        message: `the image has no snapshot ${JSON.stringify(idOrName)}`,
        details: { snapshot: idOrName },
      });
    }
    requirePossible(found, this.info.clusterSizeBytes, this.#reader.sizeBytes);
    const layer = this.#layer.withView({
      l1Offset: found.l1Table.offset,
      l1Entries: found.l1Table.entries,
      sizeBytes: Number(found.diskSizeBytes),
    });
    return new Qcow2Image(
      layer,
      this.info,
      this.#area,
      this.#reader,
      this.#options,
      undefined,
      true,
    );
  }

  /** Flushes what was written and closes what resolvers opened; later reads fail. The image's own source stays open. */
  async close(): Promise<void> {
    if (this.#isClosed || this.#isSnapshot) return;
    this.#isClosed = true;
    try {
      await this.#writer?.close();
    } finally {
      await this.#layer.close();
    }
  }

  /** Closes it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #requireWriter(offset: number, length: number): ImageWriter {
    this.#requireOpen();
    requireRange(offset, length);
    if (this.#writer === undefined) throw notOpenForWriting();
    if (offset + length <= this.sizeBytes) return this.#writer;
    throw new Qcow2Error({
      code: "QCOW2_INVALID_ARGUMENT",
      message: `bytes ${offset} to ${offset + length} are not all inside the disk of ${this.sizeBytes}`,
    });
  }

  #requireOpen(): void {
    if (this.#isClosed) {
      throw new Qcow2Error({ code: "QCOW2_INVALID_ARGUMENT", message: "the image is closed" });
    }
  }
}

function notOpenForWriting(): Qcow2Error {
  return new Qcow2Error({
    code: "QCOW2_READ_ONLY",
    message: "the image is open for reading only",
    hint: "open it with the mode rw",
  });
}

function requireRange(start: number, length: number): void {
  if (start >= 0 && length >= 0 && Number.isSafeInteger(start) && Number.isSafeInteger(length)) {
    return;
  }
  throw new Qcow2Error({
    code: "QCOW2_INVALID_ARGUMENT",
    message: `a range starts at a whole byte and has a whole length, not ${start} and ${length}`,
  });
}

function requirePossible(snapshot: Snapshot, clusterSize: number, fileSize: number): void {
  const { offset, entries } = snapshot.l1Table;
  const isPossible =
    offset % clusterSize === 0 &&
    entries * 8 <= formatLimits.maxL1Bytes &&
    offset + entries * 8 <= fileSize &&
    snapshot.diskSizeBytes <= BigInt(Number.MAX_SAFE_INTEGER);
  if (isPossible) return;
  throw new Qcow2Error({
    code: "QCOW2_SNAPSHOT_INVALID",
    message: `the snapshot ${JSON.stringify(snapshot.id)} has an impossible L1 table or disk size`,
    offset: snapshot.entryOffset,
    structure: "snapshot table",
  });
}

function joinExtents(before: Extent, next: Extent): Extent | undefined {
  if (before.kind !== next.kind || before.depth !== next.depth) return undefined;
  const isContiguous =
    before.hostOffset === undefined
      ? next.hostOffset === undefined
      : next.hostOffset === before.hostOffset + before.length;
  return isContiguous ? { ...before, length: before.length + next.length } : undefined;
}
