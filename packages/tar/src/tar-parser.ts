import type { TarEntry } from "./entry.ts";
import { TarError } from "./errors.ts";
import type { TarHandlers } from "./handlers.ts";
import { blockBytes, typeFlags } from "./header/layout.ts";
import { parseHeader, type RawHeader } from "./header/parse-header.ts";
import { buildEntry } from "./internal/entry-builder.ts";
import { ExtensionHeaders } from "./internal/extension-headers.ts";
import { GatheredBytes } from "./internal/gathered-bytes.ts";
import { defaultTarLimits, type TarLimits } from "./limits.ts";
import { parseDecimal } from "./pax/pax-number.ts";
import {
  type SparseContinuation,
  type SparseFile,
  startOldSparse,
  startPaxSparse,
} from "./sparse/sparse-header.ts";
import type { SparseRanges } from "./sparse/sparse-map.ts";

type State = "header" | "extension" | "sparse-map" | "data" | "padding" | "ended";

/**
 * Reads a tar archive from chunks of any size, without promises and without copying content.
 *
 * Knows ustar, PAX, the GNU and star dialects and GNU sparse files of every format. Everything after the closing
 * zero blocks is ignored; an archive may also end without them, after the last byte of content.
 */
export class TarParser {
  readonly #handlers: TarHandlers;
  readonly #limits: TarLimits;
  readonly #extensions: ExtensionHeaders;
  readonly #scratch: Uint8Array = new Uint8Array(blockBytes);
  readonly #body: GatheredBytes = new GatheredBytes();
  #filled = 0;
  #state: State = "header";
  #failure: unknown;
  /** Bytes of the archive before the ones being looked at. */
  #position = 0;
  #entries = 0;
  #sawZeroBlock = false;
  /** The header that the current state belongs to, and where it lies. */
  #header: RawHeader | undefined;
  #headerAt = 0;
  /** Bytes of the current body that are still to come, and of the padding behind them. */
  #remaining = 0;
  #padding = 0;
  #fileOffset = 0;
  /** Whether the current body is the content of an entry that the handlers know. */
  #isContent = false;
  #continuation: SparseContinuation | undefined;
  /** The ranges of the current sparse file, and which one is being filled. */
  #ranges: SparseRanges | undefined;
  #range = 0;

  /** @param limits - Those that differ from the defaults. */
  constructor(handlers: TarHandlers, limits: Partial<TarLimits> = {}) {
    this.#handlers = handlers;
    this.#limits = { ...defaultTarLimits, ...limits };
    this.#extensions = new ExtensionHeaders(this.#limits);
  }

  /**
   * Takes the next bytes, which may be changed once it returns. After a failure every call fails alike.
   *
   * @throws {@link TarError} every code but `TAR_BAD_ENTRY`; whatever a handler throws.
   */
  push(chunk: Uint8Array): void {
    if (this.#failure !== undefined) throw this.#failure;
    // Node's Buffer is a Uint8Array whose slice() makes no copy.
    const plain = new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    try {
      for (let at = 0; at < plain.byteLength; ) {
        const taken = this.#step(plain, at);
        at += taken;
        this.#position += taken;
      }
    } catch (error) {
      this.#failure = error;
      throw error;
    }
  }

  /**
   * Says that nothing follows. The zeros that would fill the last block may be missing, as no content is: umoci 0.4.7
   * leaves them out, and Go's `archive/tar` does without them, as Docker, containerd and umoci do with it.
   *
   * @throws {@link TarError} `TAR_TRUNCATED` inside a header, a body, or after a header that announces another.
   */
  finish(): void {
    if (this.#failure !== undefined) throw this.#failure;
    const isAfterBody =
      this.#state === "padding" || (this.#state === "header" && this.#filled === 0);
    if ((isAfterBody && !this.#extensions.isPending) || this.#state === "ended") return;
    this.#failure = new TarError(
      "TAR_TRUNCATED",
      `the archive ends after ${this.#position} bytes, inside an entry`,
      this.#position,
    );
    throw this.#failure;
  }

  /**
   * Bytes of the current entry's content that are still to come and lie in the archive one after the other, as in the
   * file. {@link TarParser.skip} may pass over them. 0 between entries and in sparse files.
   */
  get skippableBytes(): number {
    return this.#state === "data" && this.#ranges === undefined ? this.#remaining : 0;
  }

  /** Whether the closing blocks of zeros have been seen: nothing that follows matters. */
  get isEnded(): boolean {
    return this.#state === "ended";
  }

  /**
   * Passes over content as if it had been pushed, but for `data`, which is not called.
   *
   * @param bytes - At most {@link TarParser.skippableBytes}.
   */
  skip(bytes: number): void {
    if (!(bytes > 0 && bytes <= this.skippableBytes)) {
      throw new Error(`cannot skip ${bytes} bytes: ${this.skippableBytes} may be`);
    }
    this.#position += bytes;
    this.#fileOffset += bytes;
    this.#remaining -= bytes;
    if (this.#remaining === 0) this.#endData();
  }

  #step(chunk: Uint8Array, at: number): number {
    const available = chunk.byteLength - at;
    switch (this.#state) {
      case "ended":
        return available;
      case "data":
        return this.#takeData(chunk, at, Math.min(available, this.#remaining));
      case "padding": {
        const taken = Math.min(available, this.#padding);
        this.#padding -= taken;
        if (this.#padding === 0) this.#state = "header";
        return taken;
      }
      case "extension":
        return this.#takeExtension(chunk, at, Math.min(available, this.#remaining));
      default:
        return this.#takeBlock(chunk, at, available);
    }
  }

  #takeBlock(chunk: Uint8Array, at: number, available: number): number {
    // All headers are looked at in one memory: the engine's code for them then fits, whatever kinds of memory chunks are in.
    const taken = Math.min(available, blockBytes - this.#filled);
    this.#scratch.set(chunk.subarray(at, at + taken), this.#filled);
    this.#filled += taken;
    if (this.#filled === blockBytes) {
      this.#filled = 0;
      this.#onBlock(this.#scratch, this.#position + taken - blockBytes);
    }
    return taken;
  }

  #onBlock(block: Uint8Array, offset: number): void {
    if (this.#continuation !== undefined) this.#onMapBlock(block, offset);
    else if (isZero(block)) this.#onZeroBlock(offset);
    else this.#onHeader(block, offset);
  }

  #onZeroBlock(offset: number): void {
    if (this.#extensions.isPending) {
      throw new TarError("TAR_TRUNCATED", "the archive ends where an entry was announced", offset);
    }
    if (this.#sawZeroBlock) this.#state = "ended";
    this.#sawZeroBlock = true;
  }

  #onHeader(block: Uint8Array, offset: number): void {
    if (this.#sawZeroBlock) {
      throw new TarError("TAR_BAD_HEADER", "an entry follows a block of zeros", offset);
    }
    const header = parseHeader(block, offset);
    if (header.size < 0) {
      throw new TarError("TAR_BAD_HEADER", "an entry has a negative size", offset);
    }
    this.#header = header;
    this.#headerAt = offset;
    const maxBodyBytes = this.#extensions.maxBodyBytes(header.typeFlag);
    if (maxBodyBytes !== undefined) this.#expectExtension(header.size, maxBodyBytes);
    else if (header.typeFlag === typeFlags.gnuVolume) this.#expectData(header.size, false);
    else this.#onEntryHeader(block, header, offset);
  }

  #expectExtension(size: number, maxBytes: number): void {
    if (size > maxBytes) {
      const message = `a header announces ${size} bytes, more than ${maxBytes}`;
      throw new TarError("TAR_OVER_LIMIT", message, this.#headerAt);
    }
    this.#expect("extension", size);
    if (size === 0) this.#endExtension(new Uint8Array(0));
  }

  #takeExtension(chunk: Uint8Array, at: number, taken: number): number {
    const part = chunk.subarray(at, at + taken);
    this.#remaining -= taken;
    if (this.#remaining === 0) this.#endExtension(this.#body.finish(part));
    else this.#body.add(part);
    return taken;
  }

  #endExtension(body: Uint8Array): void {
    this.#state = this.#padding > 0 ? "padding" : "header";
    this.#extensions.add((this.#header as RawHeader).typeFlag, body, this.#headerAt);
  }

  #onEntryHeader(block: Uint8Array, header: RawHeader, offset: number): void {
    const { pax } = this.#extensions.current;
    // Whatever their size says, links, devices and directories have no content.
    if (header.typeFlag >= typeFlags.hardlink && header.typeFlag <= typeFlags.fifo) {
      this.#emit(header, 0);
      this.#expectData(0, true);
      return;
    }
    const record = pax.get("size");
    const stored = record === undefined ? header.size : parseDecimal(record, offset);
    const { maxSparseRanges } = this.#limits;
    const sparse =
      header.typeFlag === typeFlags.gnuSparse
        ? startOldSparse(block, stored, maxSparseRanges, offset)
        : startPaxSparse(pax, stored, maxSparseRanges, offset);
    if (sparse === undefined) {
      const isFile = this.#emit(header, stored) === "file";
      this.#expectData(stored, isFile);
    } else if ("push" in sparse) {
      this.#continuation = sparse;
      this.#state = "sparse-map";
    } else {
      this.#startSparse(header, sparse);
    }
  }

  #onMapBlock(block: Uint8Array, offset: number): void {
    const file = this.#continuation?.push(block, offset);
    if (file === undefined) return;
    this.#continuation = undefined;
    this.#startSparse(this.#header as RawHeader, file);
  }

  #startSparse(header: RawHeader, file: SparseFile): void {
    this.#emit(header, file.realSizeBytes);
    this.#ranges = file.ranges;
    this.#range = 0;
    this.#expectData(file.storedBytes, true);
    this.#fileOffset = file.ranges[0] ?? 0;
  }

  #emit(header: RawHeader, sizeBytes: number): TarEntry["type"] {
    const offset = this.#headerAt;
    if (++this.#entries > this.#limits.maxEntries) {
      const message = `the archive has more than ${this.#limits.maxEntries} entries`;
      throw new TarError("TAR_OVER_LIMIT", message, offset);
    }
    const extensions = this.#extensions.current;
    const entry = buildEntry(header, extensions, sizeBytes, this.#limits, offset, (key) =>
      this.#handlers.warn?.({ code: "TAR_ACL_DROPPED", key, offset }),
    );
    this.#extensions.reset();
    this.#ranges = undefined;
    this.#handlers.entry(entry);
    return entry.type;
  }

  #expectData(size: number, isContent: boolean): void {
    this.#expect("data", size);
    this.#fileOffset = 0;
    this.#isContent = isContent;
    if (size === 0) this.#endData();
  }

  #expect(state: State, size: number): void {
    this.#remaining = size;
    this.#padding = (blockBytes - (size % blockBytes)) % blockBytes;
    this.#state = state;
  }

  #takeData(chunk: Uint8Array, at: number, available: number): number {
    const taken = Math.min(available, this.#leftInRange());
    if (this.#isContent) this.#handlers.data?.(chunk.subarray(at, at + taken), this.#fileOffset);
    this.#fileOffset += taken;
    this.#remaining -= taken;
    if (this.#remaining === 0) this.#endData();
    return taken;
  }

  /** How much of the current range is still to come; moves on to the next one that is not empty. */
  #leftInRange(): number {
    if (this.#ranges === undefined) return this.#remaining;
    for (;;) {
      const end = (this.#ranges[this.#range] as number) + (this.#ranges[this.#range + 1] as number);
      if (this.#fileOffset < end) return end - this.#fileOffset;
      this.#range += 2;
      this.#fileOffset = this.#ranges[this.#range] as number;
    }
  }

  #endData(): void {
    this.#state = this.#padding > 0 ? "padding" : "header";
    if ((this.#header as RawHeader).typeFlag !== typeFlags.gnuVolume) this.#handlers.end?.();
  }
}

function isZero(block: Uint8Array): boolean {
  return block[0] === 0 && block.every((byte) => byte === 0);
}
