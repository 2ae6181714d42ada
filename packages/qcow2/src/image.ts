import type { RandomAccess } from "@box/io";
import {
  type AddBitmapOptions,
  judgeAdd,
  judgeClear,
  judgeEnable,
  judgeMerge,
  judgeRemove,
} from "./bitmaps/bitmap-changes.ts";
import { rangesToMerge, whileUnchanged } from "./bitmaps/merge-images.ts";
import {
  type DirtyRange,
  dirtyRangesOf,
  findBitmap,
  readBitmapDirectory,
  requireUsable,
} from "./bitmaps/read-bitmap.ts";
import { MemoryBudget } from "./bytes/budget.ts";
import { type SourceReader, throwIfAborted } from "./bytes/source-reader.ts";
import { closeInOrder } from "./chain/closing.ts";
import type { OpenImageOptions } from "./chain/open-options.ts";
import {
  type Bitmap,
  type ImageDescription,
  readDescription,
  type Snapshot,
  toSnapshot,
} from "./describe/describe.ts";
import { Qcow2Error } from "./errors.ts";
import type { ImageInfo } from "./inspect/image-info.ts";
import type { LiveHeader } from "./inspect/live-header.ts";
import type { Extent, ExtentsOptions } from "./read/disk-layer.ts";
import { joinExtents } from "./read/join-extents.ts";
import type { Qcow2Layer } from "./read/qcow2-layer.ts";
import { newBytes, requireBytes, requireOptions, requireRange } from "./require-arguments.ts";
import { requirePossibleDisk } from "./snapshots/find.ts";
import { OpenSnapshots } from "./snapshots/open-snapshots.ts";
import type { CreateSnapshotOptions } from "./snapshots/snapshot-changes.ts";
import type { SnapshotLife } from "./snapshots/snapshot-life.ts";
import type { ImageWriter } from "./write/image-writer.ts";
import type { ResizeOptions } from "./write/resize.ts";

/** Where a bitmap is merged from. */
export interface MergeBitmapOptions {
  /** The image that has the bitmap; the one that is changed unless given. */
  readonly image?: Qcow2Image;
}

const defaultMetadataBytes = 64 * 2 ** 20;

/** An image that is open: its virtual disk is read like a file. Made by `openImage`. */
export class Qcow2Image implements RandomAccess, AsyncDisposable {
  readonly #layer: Qcow2Layer;
  readonly #header: LiveHeader;
  readonly #reader: SourceReader;
  readonly #options: OpenImageOptions;
  readonly #writer: ImageWriter | undefined;
  readonly #snapshot: SnapshotLife | undefined;
  readonly #openSnapshots: OpenSnapshots;
  #closing: Promise<void> | undefined;

  /** @internal */
  constructor(
    layer: Qcow2Layer,
    header: LiveHeader,
    reader: SourceReader,
    options: OpenImageOptions,
    writer: ImageWriter | undefined,
    snapshot?: { readonly life: SnapshotLife; readonly siblings: OpenSnapshots },
  ) {
    this.#writer = writer;
    this.#layer = layer;
    this.#header = header;
    this.#reader = reader;
    this.#options = options;
    this.#snapshot = snapshot?.life;
    this.#openSnapshots =
      snapshot?.siblings ?? new OpenSnapshots(reader, header, () => this.#newBudget());
  }

  /** What the header says. */
  get info(): ImageInfo {
    return this.#header.info;
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
    if (into !== undefined) requireBytes(into, "what is read into", inside);
    const bytes = into?.subarray(0, inside) ?? newBytes(inside);
    if (inside === 0) return bytes;
    await this.#track(this.#layer.readInto(offset, bytes));
    return bytes;
  }

  /**
   * Writes bytes at `offset` of the virtual disk, all of them inside it as it is when their turn comes. They can be read at
   * once and are safe from a crash after {@link Qcow2Image.flush}. Writes run one after another; the caller keeps `bytes`
   * until it resolves.
   *
   * @throws {@link Qcow2Error} `QCOW2_READ_ONLY`, `QCOW2_INVALID_ARGUMENT`, `QCOW2_OVERLAP` (the image is then marked
   * corrupt), `QCOW2_TABLE_TOO_LARGE`, or what the storage failed with; some of the bytes may be written then.
   */
  async write(offset: number, bytes: Uint8Array): Promise<void> {
    requireBytes(bytes, "what is written");
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
   * smaller size needs the option `shrink` and loses what lies behind it; snapshots keep theirs. A data file gets the same
   * length. Bitmaps get the size of the disk; a new part is not marked in them. A crash leaves the old size or the new one.
   *
   * @throws {@link Qcow2Error} `QCOW2_UNSUPPORTED_FEATURE` for snapshots that do not state their size, as in version 2, and
   * a raw data file whose length cannot be set; `QCOW2_BITMAP_IN_USE` for bitmaps that cannot be relied on;
   * `QCOW2_INVALID_ARGUMENT`, `QCOW2_IMAGE_TOO_LARGE`, `QCOW2_TABLE_TOO_LARGE`, or as {@link Qcow2Image.write}.
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
    if (!this.#snapshot) await this.#writer?.flush();
  }

  /**
   * Says where each part of the virtual disk has its bytes, in order, over the whole chain. Reads no data. What changes
   * meanwhile is seen from where the walk is; a walk over a snapshot fails when that is deleted.
   */
  async *extents(options: ExtentsOptions = {}): AsyncGenerator<Extent> {
    this.#requireOpen();
    const { start = 0, length = Math.max(0, this.sizeBytes - start) } = requireOptions(options);
    requireRange(start, length);
    let pending: Extent | undefined;
    const walk = this.#layer.extents(start, length, 0);
    for await (const extent of this.#writer?.trackSteps(walk, () => this.#requireOpen()) ?? walk) {
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
    return this.#describe();
  }

  #describe(): Promise<ImageDescription> {
    return this.#track(readDescription(this.#reader, this.#header.area, this.#newBudget()));
  }

  /** Lists the internal snapshots. */
  async snapshots(): Promise<readonly Snapshot[]> {
    return (await this.describe()).snapshots;
  }

  /**
   * Opens an internal snapshot for reading. It lives as long as this image and needs no closing of its own. The snapshot
   * table is read once for all that are opened, until the image changes.
   *
   * @param idOrName - Its id, or its name when no id matches: bytes as they are stored, or text. What is shown of a name
   * finds it too, where no other looks the same.
   * @throws {@link Qcow2Error} `QCOW2_SNAPSHOT_NOT_FOUND`, `QCOW2_SNAPSHOT_INVALID`.
   */
  async openSnapshot(idOrName: Uint8Array | string): Promise<Qcow2Image> {
    this.#requireOpen();
    const { entry, life } = await this.#track(this.#openSnapshots.find(idOrName));
    requirePossibleDisk(entry, this.info.clusterSizeBytes, this.#reader.sizeBytes);
    const { l1Offset, l1Size: l1Entries, diskSizeBytes } = entry;
    const layer = this.#layer.withView({ l1Offset, l1Entries, sizeBytes: Number(diskSizeBytes) });
    return new Qcow2Image(layer, this.#header, this.#reader, this.#options, this.#writer, {
      life,
      siblings: this.#openSnapshots,
    });
  }

  /**
   * Takes an internal snapshot of the disk as it is now. Like every change of the snapshots it happens at one moment: a
   * crash or a failure leaves the image as it was or as it is to be.
   *
   * @param name - 1 to 255 bytes; another snapshot may have it too.
   * @returns The snapshot, with an id of its own.
   * @throws {@link Qcow2Error} `QCOW2_REFCOUNT_OVERFLOW` when refcounts are too narrow, `QCOW2_UNSUPPORTED_FEATURE` with
   * an external data file, `QCOW2_TABLE_TOO_LARGE`, `QCOW2_METADATA_LIMIT`, or as {@link Qcow2Image.write}.
   */
  async createSnapshot(
    name: Uint8Array | string,
    options: CreateSnapshotOptions,
  ): Promise<Snapshot> {
    return toSnapshot(await this.#requireWriter(0, 0).createSnapshot(name, options));
  }

  /**
   * Makes the disk what it was when a snapshot was taken, its size too. What was written since is lost.
   *
   * @param idOrName - As for {@link Qcow2Image.openSnapshot}.
   * @throws {@link Qcow2Error} `QCOW2_SNAPSHOT_NOT_FOUND`, `QCOW2_SNAPSHOT_INVALID`, `QCOW2_HAS_BITMAPS`, or as
   * {@link Qcow2Image.createSnapshot}.
   */
  async applySnapshot(idOrName: Uint8Array | string): Promise<void> {
    await this.#requireWriter(0, 0).applySnapshot(idOrName);
  }

  /**
   * Deletes an internal snapshot and gives back what only it used. Images that {@link Qcow2Image.openSnapshot} made of it
   * cannot be read any more.
   *
   * @param idOrName - As for {@link Qcow2Image.openSnapshot}.
   * @throws {@link Qcow2Error} as {@link Qcow2Image.applySnapshot}.
   */
  async deleteSnapshot(idOrName: Uint8Array | string): Promise<void> {
    const onDeleted = this.#openSnapshots.end.bind(this.#openSnapshots);
    await this.#requireWriter(0, 0).deleteSnapshot(idOrName, onDeleted);
  }

  /** Lists the persistent bitmaps that the image says are valid; what was written through it is in them then. */
  async bitmaps(): Promise<readonly Bitmap[]> {
    this.#requireOpen();
    return (await this.#readBitmaps(() => this.#describe())).bitmaps;
  }

  /**
   * Reads a bitmap: the ranges of the disk that were written since it was added or cleared, in order.
   *
   * @throws {@link Qcow2Error} `QCOW2_BITMAP_NOT_FOUND`, `QCOW2_BITMAP_IN_USE` for one that cannot be relied on or that
   * changes meanwhile, `QCOW2_BITMAP_INVALID`.
   */
  async *dirtyRanges(name: Uint8Array | string): AsyncGenerator<DirtyRange> {
    this.#requireOpen();
    const budget = this.#newBudget();
    const { entries, changes } = await this.#readBitmaps(async () => ({
      entries: await readBitmapDirectory(this.#reader, this.#header.area, budget),
      changes: this.#writer?.bitmapChanges,
    }));
    const entry = findBitmap(entries, name);
    requireUsable(entry);
    const { clusterSizeBytes: clusterSize, virtualSizeBytes } = this.info;
    const disk = { clusterSize, sizeBytes: Number(virtualSizeBytes) };
    const ranges = dirtyRangesOf(this.#reader, entry, disk, budget);
    yield* whileUnchanged(ranges, () => this.#writer?.bitmapChanges === changes, name);
  }

  /**
   * Adds an empty bitmap, which records what is written from now on, here and by QEMU. QEMU 7.2 may not open an image with one
   * whose disk has no whole number of 512-byte sectors.
   *
   * @param name - 1 to 1023 bytes that no other bitmap has.
   * @throws {@link Qcow2Error} `QCOW2_BITMAP_EXISTS`, `QCOW2_INVALID_ARGUMENT`, `QCOW2_UNSUPPORTED_FEATURE` in version 2,
   * `QCOW2_TABLE_TOO_LARGE`, or as {@link Qcow2Image.write}.
   */
  async addBitmap(name: Uint8Array | string, options: AddBitmapOptions = {}): Promise<void> {
    await this.#requireWriter(0, 0).changeBitmaps((parts) => judgeAdd(parts, name, options));
  }

  /** Removes a bitmap, also one that cannot be relied on. Errors as {@link Qcow2Image.clearBitmap}. */
  async removeBitmap(name: Uint8Array | string): Promise<void> {
    await this.#requireWriter(0, 0).changeBitmaps((parts) => judgeRemove(parts, name));
  }

  /**
   * Clears all bits of a bitmap.
   *
   * @throws {@link Qcow2Error} `QCOW2_BITMAP_NOT_FOUND`, `QCOW2_BITMAP_IN_USE`, `QCOW2_BITMAP_INVALID`, or as
   * {@link Qcow2Image.write}.
   */
  async clearBitmap(name: Uint8Array | string): Promise<void> {
    await this.#requireWriter(0, 0).changeBitmaps((parts) => judgeClear(parts, name));
  }

  /** Makes a bitmap record writes. Errors as {@link Qcow2Image.clearBitmap}. */
  async enableBitmap(name: Uint8Array | string): Promise<void> {
    await this.#requireWriter(0, 0).changeBitmaps((parts) => judgeEnable(parts, name, true));
  }

  /** Makes a bitmap stay as it is, whatever is written. Errors as {@link Qcow2Image.clearBitmap}. */
  async disableBitmap(name: Uint8Array | string): Promise<void> {
    await this.#requireWriter(0, 0).changeBitmaps((parts) => judgeEnable(parts, name, false));
  }

  /**
   * Adds to a bitmap what another one marks. When that fails in the middle, the bitmap may mark some of it already, and stays
   * as usable as it was.
   *
   * @param from - A bitmap of this image, or of `options.image`.
   * @throws {@link Qcow2Error} as {@link Qcow2Image.clearBitmap}, and `QCOW2_INVALID_ARGUMENT` when the disks of the two images
   * differ in size.
   */
  async mergeBitmap(
    name: Uint8Array | string,
    from: Uint8Array | string,
    options: MergeBitmapOptions = {},
  ): Promise<void> {
    const { image = this } = requireOptions(options);
    const writer = this.#requireWriter(0, 0);
    // A snapshot that is open has the bitmaps of its image.
    const isOwn = image instanceof Qcow2Image && image.#writer === writer;
    const ranges = isOwn ? undefined : await rangesToMerge(image, from, this.sizeBytes);
    this.#requireOpen();
    await writer.changeBitmaps((parts) => judgeMerge(parts, name, from, ranges));
  }

  /**
   * Flushes what was written and closes what resolvers opened; later reads fail. The image's own source stays open. Every
   * call has the result of the first.
   *
   * @throws {@link Qcow2Error} as {@link Qcow2Image.write}, also when what has ended all writing took a change with it that
   * had succeeded.
   */
  async close(): Promise<void> {
    if (this.#snapshot) return;
    this.#closing ??= closeInOrder([() => this.#writer?.close(), () => this.#layer.close()]);
    await this.#closing;
  }

  /** Closes it. What {@link Qcow2Image.close} has told, or the change that ended all writing, is not thrown again. */
  async [Symbol.asyncDispose](): Promise<void> {
    const isTold = this.#closing !== undefined;
    const told = this.#writer?.failure;
    await this.close().catch((error: unknown) => {
      if (!isTold && error !== told) throw error;
    });
  }

  #requireWriter(offset: number, length: number): ImageWriter {
    this.#requireOpen();
    requireRange(offset, length);
    if (this.#writer === undefined || this.#snapshot) throw notOpenForWriting();
    return this.#writer;
  }

  async #readBitmaps<Value>(read: () => Promise<Value>): Promise<Value> {
    return this.#writer ? this.#writer.readBitmaps(read) : read();
  }

  #newBudget(): MemoryBudget {
    return new MemoryBudget(this.#options.limits?.maxMetadataBytes ?? defaultMetadataBytes);
  }

  async #track<Value>(reading: Promise<Value>): Promise<Value> {
    return this.#writer?.track(reading) ?? reading;
  }

  #requireOpen(): void {
    this.#snapshot?.requireAlive();
    if (this.#closing !== undefined) {
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
