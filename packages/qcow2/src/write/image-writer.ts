import { judgeExpansion } from "../amend/expand-snapshots.ts";
import { requireSnapshotSizes } from "../amend/snapshot-sizes.ts";
import type { BitmapChange, JudgeParts } from "../bitmaps/bitmap-changes.ts";
import { BitmapRecorder } from "../bitmaps/bitmap-recorder.ts";
import { judgeResize, type SizeChange } from "../bitmaps/resize-bitmaps.ts";
import { MemoryBudget } from "../bytes/budget.ts";
import { throwIfAborted } from "../bytes/source-reader.ts";
import { Qcow2Error } from "../errors.ts";
import type { Qcow2Layer } from "../read/qcow2-layer.ts";
import { switchDisk } from "../snapshots/disk-switch.ts";
import type { SnapshotEntry } from "../snapshots/parse.ts";
import {
  type CreateSnapshotOptions,
  judgeApply,
  judgeCreate,
  judgeDelete,
  type SnapshotChange,
  type SnapshotParts,
} from "../snapshots/snapshot-changes.ts";
import { changeSize } from "./change-size.ts";
import type { ZeroMode } from "./cluster-zeroer.ts";
import { isDataLonger, requireSizableData } from "./data-file-size.ts";
import { dropClusters, dropTables } from "./empty-disk.ts";
import { FreshTables } from "./fresh-tables.ts";
import type { ImageStoreParts } from "./image-store.ts";
import { type OpenWriter, startWriting } from "./open-writer.ts";
import { OperationQueue } from "./operation-queue.ts";
import { type ResizeOptions, requireResizable, writeSize } from "./resize.ts";
import { dropPast, finishCut, type ShrinkParts } from "./shrink.ts";

/** Everything that {@link ImageWriter} writes with. */
export interface ImageWriterParts extends Omit<ImageStoreParts, "queue" | "data"> {
  /** The disk that is written. */
  readonly layer: Qcow2Layer;
  /** Ends waiting changes. */
  readonly signal: AbortSignal | undefined;
}

/** Judges a change of the bitmaps. */
type BitmapJudge = (parts: JudgeParts) => Promise<BitmapChange>;

/** Changes the active disk of an image. Changes run one after another; nothing is written before the first. */
export class ImageWriter {
  readonly #parts: ImageWriterParts;
  readonly #queue = new OperationQueue();
  readonly #bitmaps: BitmapRecorder;
  #open: OpenWriter | undefined;
  #failure: Qcow2Error | undefined;
  #bitmapChanges = 0;
  #isClosing = false;
  /** Whether a change has succeeded since the last flush. */
  #isUntold = false;

  constructor(parts: ImageWriterParts) {
    this.#parts = parts;
    this.#bitmaps = new BitmapRecorder(parts);
  }

  /** Notes a read, so that what it reads is not used for something else meanwhile. */
  track<Value>(read: Promise<Value>): Promise<Value> {
    return this.#queue.track(read);
  }

  /** {@link track} for each step of a walk. */
  trackSteps<Value>(walk: AsyncGenerator<Value>, requireAlive: () => void): AsyncGenerator<Value> {
    return this.#queue.trackSteps(walk, requireAlive);
  }

  /** Writes bytes, all of them inside the disk as it is when their turn comes. */
  write(start: number, bytes: Uint8Array): Promise<void> {
    const run = async (open: OpenWriter): Promise<void> => {
      const { writer, store } = open;
      await this.#requireSound(start, bytes.byteLength);
      await this.#bitmaps.record(store, start, bytes.byteLength);
      for (let done = 0; done < bytes.byteLength; ) {
        done += await writer.writeSome(start + done, bytes.subarray(done));
        if (store.isFull) await open.store.commit();
      }
    };
    return this.#changeDisk(run, async () => this.#requireInside(start, bytes.byteLength));
  }

  /** Makes a range inside the disk read as zeros; see {@link ZeroMode}. */
  zero(start: number, length: number, mode: ZeroMode): Promise<void> {
    const run = async (open: OpenWriter): Promise<void> => {
      await this.#bitmaps.record(open.store, start, length);
      await this.#zeroRange(open, start, length, mode);
    };
    return this.#changeDisk(run, async () => this.#requireInside(start, length));
  }

  /** Changes before this one may have made the disk larger or smaller. */
  #requireInside(start: number, length: number): void {
    const { sizeBytes } = this.#parts.layer;
    if (start + length <= sizeBytes) return;
    throw new Qcow2Error({
      code: "QCOW2_INVALID_ARGUMENT",
      message: `bytes ${start} to ${start + length} are not all inside the disk of ${sizeBytes}`,
    });
  }

  /** Changes the size of the disk; see {@link growDisk} and {@link shrinkDisk}. */
  resize(sizeBytes: number, options: ResizeOptions = {}): Promise<void> {
    const { layer, header, reader, maxMetadataBytes } = this.#parts;
    const judge = async () => {
      requireResizable(header.info, layer.sizeBytes, sizeBytes, options);
      if (sizeBytes === layer.sizeBytes && !isDataLonger(header.info, layer)) return;
      requireSizableData(header.info, layer.parts.dataReader.source);
      // A snapshot that does not say how large its disk is would change its size too.
      await requireSnapshotSizes(reader.source, header.area, { maxMetadataBytes });
    };
    const run = async (open: OpenWriter): Promise<void> => {
      if (sizeBytes === layer.sizeBytes) return finishCut(this.#shrinkParts(open));
      // What was written is in the bitmaps of the old size then, and nothing that follows is recorded.
      if (this.#bitmaps.isRecording) await this.#settle(open);
      const bitmaps = await judgeResize(this.#parts, sizeBytes);
      await open.store.clearAutoclear(true);
      await this.#resize(open, sizeBytes, options, bitmaps);
      if (open.store.isFull) await open.store.commit();
    };
    return this.#change(run, judge);
  }

  /** Takes everything away that the image stores of the disk: its backing file shows through everywhere. */
  empty(): Promise<void> {
    return this.#changeDisk(async (open) => {
      await open.store.commit();
      await dropTables(this.#shrinkParts(open), 0);
      await open.store.trim();
    });
  }

  /** Takes away what the tables have behind the end of the disk. */
  dropPast(): Promise<void> {
    return this.#changeDisk((open) => dropPast(this.#shrinkParts(open)));
  }

  /** Takes clusters away from the disk, whole ones or up to its end: its backing file shows through there. */
  forget(start: number, length: number): Promise<void> {
    return this.#changeDisk(async (open) => {
      await this.#bitmaps.record(open.store, start, length);
      const { clusterSize } = open.finder;
      const end = Math.ceil((start + length) / clusterSize);
      await dropClusters(this.#shrinkParts(open), Math.floor(start / clusterSize), end);
    });
  }

  #shrinkParts(open: OpenWriter): ShrinkParts {
    return { ...open, layer: this.#parts.layer, header: this.#parts.header };
  }

  /** Takes a snapshot of the disk. */
  createSnapshot(
    name: Uint8Array | string,
    options: CreateSnapshotOptions,
  ): Promise<SnapshotEntry> {
    return this.#switch((parts) => judgeCreate(parts, name, options));
  }

  /** Makes the disk what it was when a snapshot was taken. */
  applySnapshot(idOrName: Uint8Array | string): Promise<SnapshotEntry> {
    return this.#switch((parts) => judgeApply(parts, idOrName));
  }

  /**
   * Deletes a snapshot.
   *
   * @param onDeleted - Told before the clusters of the snapshot are used for anything else.
   */
  deleteSnapshot(
    idOrName: Uint8Array | string,
    onDeleted: (entry: SnapshotEntry) => void,
  ): Promise<SnapshotEntry> {
    return this.#switch((parts) => judgeDelete(parts, idOrName), onDeleted);
  }

  /** Leaves no zero cluster in the snapshots, once the disk has none. */
  expandSnapshots(): Promise<SnapshotEntry> {
    const { backing } = this.#parts.header.info;
    return this.#switch((parts) => judgeExpansion(parts, backing !== undefined));
  }

  /** Judges a change of the snapshots before anything is written, and carries it out. */
  #switch(
    judge: (parts: SnapshotParts) => Promise<SnapshotChange>,
    onSwitched: (entry: SnapshotEntry) => void = () => {},
  ): Promise<SnapshotEntry> {
    const { layer, reader, header, maxMetadataBytes } = this.#parts;
    const budget = new MemoryBudget(maxMetadataBytes);
    const run = async (open: OpenWriter, change: SnapshotChange): Promise<SnapshotEntry> => {
      const { store } = open;
      await store.commit();
      // What was written in place is safe from here on, also when this change fails.
      await store.host.flush();
      // Tables move and clusters are counted anew: the next change looks where everything is.
      this.#open = undefined;
      const plan = await change.plan();
      const { freed, taken } = await switchDisk(
        { reader, store, header, format: layer.parts.format, budget },
        plan,
      );
      layer.parts.cache.clear();
      const { l1TableOffset: l1Offset, l1Size: l1Entries } = header.header;
      layer.moveTo({ l1Offset, l1Entries, sizeBytes: Number(plan.sizeBytes) });
      onSwitched(change.entry);
      await store.releaseRanges(freed);
      return taken ?? change.entry;
    };
    return this.#change(run, () => judge({ reader, header, budget }));
  }

  /**
   * Changes the bitmaps of the image once what was written is in them.
   *
   * @param judge - Refuses the change before anything is written for it.
   */
  changeBitmaps(judge: BitmapJudge): Promise<void> {
    const { reader, header, maxMetadataBytes } = this.#parts;
    const parts = { reader, header, maxMetadataBytes };
    const run = async (
      open: OpenWriter,
      judged: { readonly change?: BitmapChange },
    ): Promise<void> => {
      // Part of the same change: a write in between would go on recording in what this one takes away.
      if (this.#bitmaps.isRecording) await this.#settle(open);
      const change = judged.change ?? (await judge(parts));
      const { store } = open;
      await store.commit();
      await store.clearAutoclear(true);
      this.#bitmapChanges++;
      await FreshTables.use(store, (fresh) => change({ ...parts, store, fresh }));
    };
    return this.#change(run, async () =>
      this.#bitmaps.isRecording ? {} : { change: await judge(parts) },
    );
  }

  /** Stores what the bitmaps of the image have recorded; the next change marks them in use again. */
  settleBitmaps(): Promise<void> {
    return this.readBitmaps(async () => {});
  }

  /** Reads the stored bitmaps once what was recorded is in them; no change gets between. */
  readBitmaps<Value>(read: () => Promise<Value>): Promise<Value> {
    return this.#queue.run(async () => {
      const isUntold = this.#isUntold;
      if (this.#bitmaps.isRecording) await this.#attempt((open) => this.#settle(open), noJudge);
      // Nobody was told that the content has changed.
      this.#isUntold = isUntold;
      return read();
    });
  }

  async #settle(open: OpenWriter): Promise<void> {
    await open.store.commit();
    this.#bitmapChanges++;
    await this.#bitmaps.settle(open.store);
  }

  /** How often the stored bitmaps have changed. */
  get bitmapChanges(): number {
    return this.#bitmapChanges;
  }

  async #resize(
    open: OpenWriter,
    sizeBytes: number,
    options: ResizeOptions,
    bitmaps: SizeChange | undefined,
  ): Promise<void> {
    const { header, signal } = this.#parts;
    const { store } = open;
    const setSize = async (): Promise<void> => {
      if (bitmaps === undefined) return writeSize({ store, header }, sizeBytes);
      this.#bitmapChanges++;
      await FreshTables.use(store, (fresh) => bitmaps({ ...this.#parts, store, fresh }));
    };
    const zero = (start: number, length: number) => this.#zeroRange(open, start, length, "zero");
    const regardless = (work: () => Promise<void>) => this.#regardless(work);
    const parts = { ...this.#shrinkParts(open), signal, setSize, zero, regardless };
    await changeSize(parts, sizeBytes, options);
  }

  async #regardless<Value>(work: () => Promise<Value>): Promise<Value> {
    const { reader, layer } = this.#parts;
    return reader.regardless(() => layer.parts.dataReader.regardless(work));
  }

  async #zeroRange(open: OpenWriter, start: number, length: number, mode: ZeroMode): Promise<void> {
    const { zeroer, store } = open;
    for (let done = 0; done < length; ) {
      throwIfAborted(this.#parts.signal);
      const step = Math.min(length - done, zeroStepBytes);
      await this.#requireSound(start + done, step);
      for (let part = 0; part < step; ) {
        part += await zeroer.zeroSome(start + done + part, step - part, mode);
        if (store.isFull) await open.store.commit();
      }
      done += step;
    }
  }

  /** Resolves once every change is on stable storage. */
  async flush(): Promise<void> {
    const run = async (open: OpenWriter): Promise<void> => {
      await open.store.commit();
      await open.store.host.flush();
    };
    await this.#queue.run(async () => {
      if (this.#open === undefined && this.#failure === undefined) return;
      try {
        await this.#attempt(run, noJudge);
        this.#isUntold = false;
      } catch (error) {
        if (this.#failure !== undefined) this.#isUntold = false;
        throw error;
      }
    });
  }

  /** What has ended all writing. */
  get failure(): Qcow2Error | undefined {
    return this.#failure;
  }

  /**
   * Flushes, also when the caller has given up.
   *
   * @throws {@link Qcow2Error}, also the failure that has ended all writing, when a change before it had succeeded and no
   * flush has told that it is lost.
   */
  async close(): Promise<void> {
    await this.#queue.run(async () => {});
    if (this.#failure !== undefined) {
      if (this.#isUntold) throw this.#failure;
      return;
    }
    this.#isClosing = true;
    await this.#regardless(async () => {
      await this.flush();
      await this.settleBitmaps();
    });
  }

  /** Whether what is in memory must never reach the file: an overlap was found, or the storage lost what it had. */
  #isFinal(error: Qcow2Error, open: OpenWriter | undefined): boolean {
    if (error.code === "QCOW2_OVERLAP") return true;
    return open?.store.host.hasFailed === true || open?.data.hasFailed === true;
  }

  /** Runs a change of what the disk holds. */
  #changeDisk(run: (open: OpenWriter) => Promise<void>, judge = noJudge): Promise<void> {
    const change = async (open: OpenWriter): Promise<void> => {
      await this.#bitmaps.begin(open.store);
      await run(open);
      if (open.store.isFull) await open.store.commit();
    };
    return this.#change(change, judge);
  }

  /** @param judge - Refuses the change before anything is written for it. */
  #change<Value, Judged>(
    run: (open: OpenWriter, judged: Judged) => Promise<Value>,
    judge: () => Promise<Judged>,
  ): Promise<Value> {
    return this.#queue.run(() => this.#attempt(run, judge));
  }

  async #attempt<Value, Judged>(
    run: (open: OpenWriter, judged: Judged) => Promise<Value>,
    judge: () => Promise<Judged>,
  ): Promise<Value> {
    if (!this.#isClosing) throwIfAborted(this.#parts.signal);
    if (this.#failure) throw this.#failure;
    const judged = await judge();
    let open = this.#open;
    try {
      open ??= await startWriting({ ...this.#parts, queue: this.#queue });
      this.#open = open;
      const value = await run(open, judged);
      this.#isUntold = true;
      return value;
    } catch (error) {
      if (error instanceof Qcow2Error && this.#isFinal(error, open)) this.#failure = error;
      throw error;
    }
  }

  /** Looks at the entries of a range as reading does, so that nothing is built on a wrong one. */
  async #requireSound(start: number, length: number): Promise<void> {
    if (length > 0) await this.#parts.layer.map.runs(start, length);
  }
}

const zeroStepBytes = 2 ** 30;

const noJudge = async (): Promise<void> => {};
