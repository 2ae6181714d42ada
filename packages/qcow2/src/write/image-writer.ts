import { throwIfAborted } from "../bytes/source-reader.ts";
import { Qcow2Error } from "../errors.ts";
import { headerFields } from "../header/layout.ts";
import type { ImageInfo } from "../inspect/image-info.ts";
import type { Qcow2Layer } from "../read/qcow2-layer.ts";
import { ClusterWriter } from "./cluster-writer.ts";
import { ClusterZeroer, type ZeroMode } from "./cluster-zeroer.ts";
import { dropClusters, dropTables } from "./empty-disk.ts";
import { HostFile } from "./host-file.ts";
import { ImageStore, type ImageStoreParts } from "./image-store.ts";
import { L2Finder } from "./l2-cursor.ts";
import { OperationQueue } from "./operation-queue.ts";
import { preallocateRange } from "./preallocate.ts";
import { growDisk, l1EntriesFor, type ResizeOptions, requireResizable } from "./resize.ts";
import { dropPast, type ShrinkParts, shrinkDisk } from "./shrink.ts";

/** Everything that {@link ImageWriter} writes with. */
export interface ImageWriterParts extends Omit<ImageStoreParts, "queue"> {
  /** The disk that is written. */
  readonly layer: Qcow2Layer;
  /** What the header says. */
  readonly info: ImageInfo;
  /** Ends waiting changes. */
  readonly signal: AbortSignal | undefined;
}

interface OpenWriter {
  readonly store: ImageStore;
  readonly data: HostFile;
  readonly writer: ClusterWriter;
  readonly zeroer: ClusterZeroer;
  readonly finder: L2Finder;
  readonly commit: () => Promise<void>;
}

/** Changes the active disk of an image. Changes run one after another; nothing is written before the first. */
export class ImageWriter {
  readonly #parts: ImageWriterParts;
  readonly #queue = new OperationQueue();
  #open: OpenWriter | undefined;
  #failure: Qcow2Error | undefined;

  constructor(parts: ImageWriterParts) {
    this.#parts = parts;
  }

  /** Notes a read, so that what it reads is not used for something else meanwhile. */
  track<Value>(read: Promise<Value>): Promise<Value> {
    return this.#queue.track(read);
  }

  /** Writes bytes that lie inside the disk. */
  write(start: number, bytes: Uint8Array): Promise<void> {
    return this.#change(async ({ writer }) => {
      await this.#requireSound(start, bytes.byteLength);
      for (let done = 0; done < bytes.byteLength; ) {
        done += await writer.writeSome(start + done, bytes.subarray(done));
      }
    });
  }

  /** Makes a range inside the disk read as zeros; see {@link ZeroMode}. */
  zero(start: number, length: number, mode: ZeroMode): Promise<void> {
    return this.#change((open) => this.#zeroRange(open, start, length, mode));
  }

  /** Changes the size of the disk; see {@link growDisk} and {@link shrinkDisk}. */
  resize(sizeBytes: number, options: ResizeOptions = {}): Promise<void> {
    const { layer, info } = this.#parts;
    return this.#queue
      .run(async () => requireResizable(info, layer.sizeBytes, sizeBytes, options))
      .then(() => this.#change((open) => this.#resize(open, sizeBytes, options)));
  }

  /** Takes everything away that the image stores of the disk: its backing file shows through everywhere. */
  empty(): Promise<void> {
    return this.#change(async (open) => {
      await commitAll(open);
      await dropTables(this.#shrinkParts(open), 0);
      await open.store.trim();
    });
  }

  /** Takes away what the tables have behind the end of the disk. */
  dropPast(): Promise<void> {
    return this.#change((open) => dropPast(this.#shrinkParts(open)));
  }

  /** Takes clusters away from the disk, whole ones or up to its end: its backing file shows through there. */
  forget(start: number, length: number): Promise<void> {
    return this.#change(async (open) => {
      const { clusterSize } = open.finder;
      const end = Math.ceil((start + length) / clusterSize);
      await dropClusters(this.#shrinkParts(open), Math.floor(start / clusterSize), end);
    });
  }

  #shrinkParts(open: OpenWriter): ShrinkParts {
    return { ...open, layer: this.#parts.layer };
  }

  async #resize(open: OpenWriter, sizeBytes: number, options: ResizeOptions): Promise<void> {
    const { layer, info } = this.#parts;
    const { preallocation = "off" } = options;
    if (sizeBytes === layer.sizeBytes) return;
    await commitAll(open);
    const shrinking = this.#shrinkParts(open);
    if (sizeBytes < layer.sizeBytes) {
      await shrinkDisk(shrinking, sizeBytes, l1EntriesFor(info, sizeBytes));
      return;
    }
    // A crash may have ended a shrink before it was done.
    await dropPast(shrinking);
    const zero = async (start: number, length: number): Promise<void> => {
      await this.#zeroRange(open, start, length, "zero");
      await commitAll(open);
    };
    const preallocate = async (start: number, end: number): Promise<void> => {
      if (preallocation !== "off") await preallocateRange(open, start, end, preallocation);
      await commitAll(open);
    };
    await growDisk({ store: open.store, layer, info, zero, preallocate }, sizeBytes);
  }

  async #zeroRange(
    { zeroer, store, data }: OpenWriter,
    start: number,
    length: number,
    mode: ZeroMode,
  ): Promise<void> {
    for (let done = 0; done < length; ) {
      const step = Math.min(length - done, zeroStepBytes);
      await this.#requireSound(start + done, step);
      for (let part = 0; part < step; ) {
        part += await zeroer.zeroSome(start + done + part, step - part, mode);
      }
      done += step;
      if (store.isFull) await commitAll({ store, data });
    }
  }

  /** Resolves once every change is on stable storage. */
  async flush(): Promise<void> {
    if (this.#open === undefined && this.#failure === undefined)
      return this.#queue.run(async () => {});
    await this.#change(async (open) => {
      await commitAll(open);
      await open.store.host.flush();
    });
  }

  /** Flushes, unless a failure that was told already has ended all writing. */
  async close(): Promise<void> {
    await this.#queue.run(async () => {});
    if (this.#failure === undefined) await this.flush();
  }

  /** Whether what is in memory must never reach the file: an overlap was found, or the storage lost what it had. */
  #isFinal(error: Qcow2Error): boolean {
    if (error.code === "QCOW2_OVERLAP") return true;
    return this.#open?.store.host.hasFailed === true || this.#open?.data.hasFailed === true;
  }

  #change(run: (open: OpenWriter) => Promise<void>): Promise<void> {
    return this.#queue.run(async () => {
      throwIfAborted(this.#parts.signal);
      if (this.#failure) throw this.#failure;
      try {
        this.#open ??= await this.#start();
        await run(this.#open);
        if (this.#open.store.isFull) await commitAll(this.#open);
      } catch (error) {
        if (error instanceof Qcow2Error && this.#isFinal(error)) this.#failure = error;
        throw error;
      }
    });
  }

  async #start(): Promise<OpenWriter> {
    const { layer, reader, area, info, cache, maxMetadataBytes } = this.#parts;
    const { format, dataReader, backing } = layer.parts;
    const place = () => ({ offset: layer.view.l1Offset, entries: layer.view.l1Entries });
    const storeParts = { reader, area, cache, maxMetadataBytes, queue: this.#queue };
    const dataHost = format.hasDataFile ? new HostFile(dataReader, undefined) : undefined;
    const store = await ImageStore.open(storeParts, place());
    const data = dataHost ?? store.host;
    const finder = new L2Finder(cache, format, place);
    const parts = { store, data, finder, format, backing, layer: () => layer };
    const writer = new ClusterWriter(parts);
    return {
      store,
      data,
      writer,
      finder,
      commit: () => commitAll({ store, data }),
      zeroer: new ClusterZeroer(parts, writer, info.dataFile?.isRaw ?? false),
    };
  }

  /** Looks at the entries of a range as reading does, so that nothing is built on a wrong one. */
  async #requireSound(start: number, length: number): Promise<void> {
    if (length > 0) await this.#parts.layer.map.runs(start, length);
  }
}

const zeroStepBytes = 2 ** 30;

async function commitAll({ store, data }: Pick<OpenWriter, "store" | "data">): Promise<void> {
  if (data !== store.host) await data.flush();
  await store.commit();
}

/**
 * Refuses an image that may not be written as it is.
 *
 * @throws {@link Qcow2Error} `QCOW2_DIRTY` (conflict), `QCOW2_MARKED_CORRUPT`.
 */
export function requireWritableImage(info: ImageInfo): void {
  const place = { offset: headerFields.incompatibleFeatures, structure: "header" } as const;
  if (info.isMarkedCorrupt) {
    throw new Qcow2Error({
      code: "QCOW2_MARKED_CORRUPT",
      message: "the image is marked corrupt and cannot be written before it is repaired",
      ...place,
    });
  }
  if (!info.isDirty) return;
  throw new Qcow2Error({
    code: "QCOW2_DIRTY",
    message: "the image was not closed by its last writer: its refcounts may be too low",
    ...place,
    hint: "repair it first",
  });
}
