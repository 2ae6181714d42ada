import { allDone } from "../bytes/all-done.ts";
import type { SourceReader } from "../bytes/source-reader.ts";
import { closeInOrder } from "../chain/closing.ts";
import type { L2Format } from "../tables/l2-entry.ts";
import type { TableCache } from "../tables/table-cache.ts";
import { ClusterMap, type DiskView } from "./cluster-map.ts";
import type { CompressedReader } from "./compressed-reader.ts";
import type { DiskLayer, Extent } from "./disk-layer.ts";
import type { Run } from "./run.ts";

/** What the disks of one image, the active one and its snapshots', share. */
export interface LayerParts {
  /** The image file. */
  readonly reader: SourceReader;
  /** Where uncompressed data is: the image file or the external data file. */
  readonly dataReader: SourceReader;
  /** The tables. */
  readonly cache: TableCache;
  /** How L2 entries are read. */
  readonly format: L2Format;
  /** Whether uncompressed data is encrypted. */
  readonly isEncrypted: boolean;
  /** Reads compressed clusters. */
  readonly compressed: CompressedReader;
  /** The disk below; `undefined` for an image that stands alone. */
  readonly backing: DiskLayer | undefined;
  /** Whether references past the end of the file are refused; else they read as zeros. */
  readonly isStrict: boolean;
  /** Closes what was opened for this image. */
  readonly close: () => Promise<void>;
}

const readsInFlight = 16;

/** A disk in a qcow2 image. */
export class Qcow2Layer implements DiskLayer {
  /** What the disks of this image share. */
  readonly parts: LayerParts;
  #view: DiskView;
  #map: ClusterMap;

  constructor(parts: LayerParts, view: DiskView) {
    this.parts = parts;
    this.#view = view;
    this.#map = mapOf(parts, view);
  }

  /** {@inheritDoc DiskLayer.sizeBytes} */
  get sizeBytes(): number {
    return this.#view.sizeBytes;
  }

  /** Where its L1 table is, and its size. */
  get view(): DiskView {
    return this.#view;
  }

  /** Where the disk's bytes are stored. */
  get map(): ClusterMap {
    return this.#map;
  }

  /** Told that the disk has another size or another L1 table. */
  moveTo(view: DiskView): void {
    this.#view = view;
    this.#map = mapOf(this.parts, view);
  }

  /** Another disk of the same image, such as a snapshot's. */
  withView(view: DiskView): Qcow2Layer {
    return new Qcow2Layer(this.parts, view);
  }

  /** {@inheritDoc DiskLayer.readInto} */
  async readInto(start: number, into: Uint8Array): Promise<void> {
    const inside = Math.max(0, Math.min(into.byteLength, this.sizeBytes - start));
    into.fill(0, inside);
    if (inside === 0) return;
    const single = this.map.peekNext(start, inside);
    if (!("missing" in single) && single.length === inside && single.kind !== "compressed") {
      return this.#readRun(single, start, into);
    }
    const runs = await this.map.runs(start, inside);
    const pending: Promise<void>[] = [];
    for (let at = 0; at < runs.length; ) {
      const next = this.#compressedUntil(runs, at);
      if (next > at) {
        pending.push(this.parts.compressed.readInto(runs.slice(at, next), start, into));
        at = next;
      } else {
        const run = runs[at++];
        if (run) pending.push(this.#readRun(run, start, into));
      }
      if (pending.length >= readsInFlight) await allDone(pending.splice(0));
    }
    await allDone(pending);
  }

  /** {@inheritDoc DiskLayer.extents} */
  async *extents(start: number, length: number, depth: number): AsyncGenerator<Extent> {
    const { backing } = this.parts;
    const encrypted = this.parts.isEncrypted ? ({ isEncrypted: true } as const) : {};
    // The disk may become smaller meanwhile.
    const end = (): number => Math.min(start + length, this.sizeBytes);
    for (let at = start; at < end(); ) {
      const found = this.map.peekNext(at, end() - at);
      if ("missing" in found) this.map.loadAhead(at);
      const run = "missing" in found ? await this.map.next(at, end() - at) : found;
      at += run.length;
      if (run.kind !== "unallocated" || backing === undefined) {
        yield { ...toExtent(run, depth), ...encrypted };
        continue;
      }
      const below = Math.max(0, Math.min(run.length, backing.sizeBytes - run.start));
      if (below > 0) yield* backing.extents(run.start, below, depth + 1);
      if (below < run.length) {
        // What the cluster of a subcluster has behind the end of the backing file has a place, as without one.
        const { start, hostOffset, ...rest } = toExtent(run, depth);
        const place = hostOffset === undefined ? {} : { hostOffset: hostOffset + below };
        const behind = { start: start + below, length: run.length - below };
        yield { ...rest, ...place, ...encrypted, ...behind };
      }
    }
  }

  /** {@inheritDoc DiskLayer.close} */
  async close(): Promise<void> {
    const { close, backing } = this.parts;
    await closeInOrder([close, () => backing?.close()]);
  }

  #compressedUntil(runs: readonly Run[], from: number): number {
    let end = from;
    while (runs[end]?.kind === "compressed") end++;
    return end;
  }

  async #readRun(run: Run, base: number, into: Uint8Array): Promise<void> {
    const part = into.subarray(run.start - base, run.start - base + run.length);
    const { backing, dataReader } = this.parts;
    if (run.kind === "data") {
      const found = await dataReader.readAvailable(run.hostOffset, run.length, part);
      part.fill(0, found.byteLength);
    } else if (run.kind === "unallocated" && backing !== undefined) {
      await backing.readInto(run.start, part);
    } else {
      part.fill(0);
    }
  }
}

function mapOf(parts: LayerParts, view: DiskView): ClusterMap {
  const { cache, format, reader, dataReader, isStrict } = parts;
  const sizes = { image: () => reader.sizeBytes, data: () => dataReader.sizeBytes };
  return new ClusterMap(cache, format, view, sizes, isStrict);
}

function toExtent(run: Run, depth: number): Extent {
  const { start, length, kind, hostOffset } = run;
  const isStored = hostOffset >= 0 && kind !== "compressed";
  return { start, length, depth, kind, ...(isStored && { hostOffset }) };
}
