import { MemoryBudget } from "../bytes/budget.ts";
import type { SourceReader } from "../bytes/source-reader.ts";
import { Qcow2Error } from "../errors.ts";
import type { LiveHeader } from "../inspect/live-header.ts";
import type { ImageStore } from "../write/image-store.ts";
import { DirtyPages } from "./dirty-pages.ts";
import { type BitmapEntry, bitmapFlags } from "./parse.ts";
import { isUsable, readBitmapDirectory } from "./read-bitmap.ts";
import { storePages, writeFlags } from "./store-pages.ts";

/** What recording works on. */
export interface RecorderParts {
  /** The image file. */
  readonly reader: SourceReader;
  /** Its header. */
  readonly header: LiveHeader;
  /** Memory for tables and for what was written. */
  readonly maxMetadataBytes: number;
}

/**
 * Keeps the enabled bitmaps of an image true while its disk is written.
 *
 * Before the first change they are marked in use: whoever finds them so, after a crash, does not rely on them. What is
 * written is collected in memory, stored by {@link BitmapRecorder.settle}, and only then the mark is taken away.
 */
export class BitmapRecorder {
  readonly #parts: RecorderParts;
  #recorded: Set<DirtyPages> | undefined;
  /** Bitmaps whose marks are not in the file yet, or may be gone from it. */
  #unmarked: BitmapEntry[] = [];

  constructor(parts: RecorderParts) {
    this.#parts = parts;
  }

  /** Whether writes are being recorded. */
  get isRecording(): boolean {
    return this.#recorded !== undefined;
  }

  /**
   * Marks the enabled bitmaps in use, the first time; the mark is in the file when it resolves. Bitmaps whose directory
   * is damaged are dropped, and so are those that a writer left out of date who knew nothing of bitmaps.
   */
  async begin(store: ImageStore): Promise<void> {
    if (this.#recorded === undefined) await this.#findEnabled(store);
    if (this.#unmarked.length === 0) return;
    for (const entry of this.#unmarked) {
      await writeFlags(store, entry, entry.flags | bitmapFlags.inUse);
    }
    await store.host.flush();
    this.#unmarked = [];
  }

  async #findEnabled(store: ImageStore): Promise<void> {
    const known = await this.#readDirectory();
    await store.clearAutoclear(known !== undefined);
    const entries = known ?? [];
    const enabled = entries.filter(({ flags }) => (flags & bitmapFlags.auto) !== 0);
    const used = enabled.filter((entry) => (entry.flags & bitmapFlags.inUse) === 0);
    const { clusterSize } = store;
    this.#unmarked = used;
    const usable = used.filter(isUsable);
    this.#recorded = new Set(usable.map((entry) => new DirtyPages(entry, clusterSize)));
  }

  /** Notes that a range is about to change. */
  async record(store: ImageStore, start: number, length: number): Promise<void> {
    if (length === 0) return;
    const recorded = this.#recorded ?? new Set();
    let sizeBytes = 0;
    for (const pages of recorded) sizeBytes += pages.sizeBytes;
    for (const pages of recorded) {
      // One that turns out to be damaged is in the set no more.
      for (let at = start; at < start + length && recorded.has(pages); ) {
        sizeBytes -= pages.sizeBytes;
        at = pages.mark(at, start + length);
        sizeBytes += pages.sizeBytes;
        if (sizeBytes <= this.#parts.maxMetadataBytes / 4) continue;
        await this.#storeFilled(store);
        sizeBytes = 0;
      }
    }
  }

  /** Stores the pages of all bitmaps, which take too much memory together. */
  async #storeFilled(store: ImageStore): Promise<void> {
    for (const pages of this.#recorded ?? []) {
      if (pages.sizeBytes > 0) await this.#store(store, pages);
    }
  }

  /** Stores what was recorded and takes the marks away. The changes themselves are in the file already. */
  async settle(store: ImageStore): Promise<void> {
    const recorded = this.#recorded ?? new Set();
    const hasAny = recorded.size > 0;
    for (const pages of recorded) await this.#store(store, pages);
    if (hasAny) await store.host.flush();
    const whole = [...recorded].map(({ entry }) => entry);
    // When one of these writes fails, others may have taken their mark away already.
    this.#unmarked = whole;
    for (const entry of whole) await writeFlags(store, entry, entry.flags);
    if (hasAny) await store.host.flush();
    this.#recorded = undefined;
    this.#unmarked = [];
  }

  /** The directory; `undefined` when it is damaged, which must not keep anybody from writing. */
  async #readDirectory(): Promise<BitmapEntry[] | undefined> {
    const { reader, header, maxMetadataBytes } = this.#parts;
    return undefinedWhenCorrupt(() =>
      readBitmapDirectory(reader, header.area, new MemoryBudget(maxMetadataBytes)),
    );
  }

  /** Adds pages to what is stored. A bitmap that turns out to be damaged keeps its mark for good: its bits are lost. */
  async #store(store: ImageStore, pages: DirtyPages): Promise<void> {
    const isStored = await undefinedWhenCorrupt(async () => {
      await storePages({ ...this.#parts, store }, pages);
      return true;
    });
    if (!isStored) this.#recorded?.delete(pages);
  }
}

async function undefinedWhenCorrupt<Value>(run: () => Promise<Value>): Promise<Value | undefined> {
  try {
    return await run();
  } catch (error) {
    const isDamage = error instanceof Qcow2Error && error.kind === "corrupt";
    if (isDamage && error.code !== "QCOW2_OVERLAP") return undefined;
    throw error;
  }
}
