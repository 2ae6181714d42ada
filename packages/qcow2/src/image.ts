import type { RandomAccess } from "@box/io";
import { MemoryBudget } from "./bytes/budget.ts";
import { type SourceReader, throwIfAborted } from "./bytes/source-reader.ts";
import type { OpenImageOptions } from "./chain/open-options.ts";
import { describeImage, type ImageDescription, type Snapshot } from "./describe/describe.ts";
import { Qcow2Error } from "./errors.ts";
import { formatLimits } from "./header/layout.ts";
import type { ImageInfo } from "./inspect/image-info.ts";
import type { HeaderArea } from "./inspect/read-header.ts";
import type { Extent } from "./read/disk-layer.ts";
import type { Qcow2Layer } from "./read/qcow2-layer.ts";

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
  /** Size of the virtual disk in bytes. */
  readonly sizeBytes: number;
  readonly #layer: Qcow2Layer;
  readonly #area: HeaderArea;
  readonly #reader: SourceReader;
  readonly #options: OpenImageOptions;
  readonly #isSnapshot: boolean;
  #isClosed = false;

  /** @internal */
  constructor(
    layer: Qcow2Layer,
    info: ImageInfo,
    area: HeaderArea,
    reader: SourceReader,
    options: OpenImageOptions,
    isSnapshot = false,
  ) {
    this.info = info;
    this.sizeBytes = layer.sizeBytes;
    this.#layer = layer;
    this.#area = area;
    this.#reader = reader;
    this.#options = options;
    this.#isSnapshot = isSnapshot;
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
    if (inside > 0) await this.#layer.readInto(offset, bytes);
    return bytes;
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

  /** Reads what the header does not say: snapshots and bitmaps. */
  async describe(): Promise<ImageDescription> {
    this.#requireOpen();
    const budget = new MemoryBudget(this.#options.limits?.maxMetadataBytes ?? defaultMetadataBytes);
    return describeImage(this.#reader, this.#area, budget);
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
    return new Qcow2Image(layer, this.info, this.#area, this.#reader, this.#options, true);
  }

  /** Closes what resolvers opened; later reads fail. The image's own source stays open. */
  async close(): Promise<void> {
    if (this.#isClosed || this.#isSnapshot) return;
    this.#isClosed = true;
    await this.#layer.close();
  }

  /** Closes it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #requireOpen(): void {
    if (this.#isClosed) {
      throw new Qcow2Error({ code: "QCOW2_INVALID_ARGUMENT", message: "the image is closed" });
    }
  }
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
