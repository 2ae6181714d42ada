import { statfs } from "node:fs/promises";
import { join } from "node:path";
import type { OpenFile } from "@box/io";
import {
  type FileSystem,
  nodeFileSystem,
  openFile,
  pageAlignedBytes,
  temporaryPathFor,
} from "@box/io/node";
import { RootfsError } from "../errors.ts";
import type { LayerSource, OpenLayerSourceOptions } from "../merge/layer-source.ts";

/** Room on the disk for what layers unpack to while they are built into a file system. */
export interface ScratchSpace {
  /** Folder on whose file system it lies. The files in it have no name, so that none is left whatever happens. */
  readonly directory: string;
  /** The most bytes to use; a quarter of what is free unless given. */
  readonly maxBytes?: number;
  /** The file system calls; the host's unless given. */
  readonly fs?: FileSystem;
  /** A clock that only goes forward, in milliseconds; the system's unless given. */
  readonly monotonicMs?: () => number;
}

/** What is written and read at once. A layer that is no larger is unpacked again, which costs less than a file does. */
const bufferBytes = 1024 * 1024;
const blockBytes = 4096;

/** After so many buffers it shows whether the disk keeps up. */
const triedWrites = 64;

/**
 * Keeps what layers unpack to from their first reading to their second, so that nothing is decompressed twice.
 *
 * It only ever saves time: where there is no room, or a write fails, the layer is unpacked twice. Its files are not kept
 * in the page cache, which would take most of the processor time that they cost, unless the disk turns out to be slow.
 */
export class LayerSpool implements AsyncDisposable {
  readonly #directory: string;
  readonly #fs: FileSystem;
  readonly #monotonicMs: () => number;
  readonly #files = new Set<SpoolFile>();
  /** Buffers that nobody uses. */
  readonly #spare: Uint8Array[] = [];
  #freeBytes: number;
  /** How often and how long a write was waited for, since when. */
  #writes = 0;
  #waitedMs = 0;
  #firstMs: number | undefined;
  #isDirect = true;

  private constructor(space: ScratchSpace, freeBytes: number) {
    this.#directory = space.directory;
    this.#fs = space.fs ?? nodeFileSystem;
    this.#monotonicMs = space.monotonicMs ?? (() => performance.now());
    this.#freeBytes = freeBytes;
  }

  /** Makes one that holds nothing yet. */
  static async open(space: ScratchSpace): Promise<LayerSpool> {
    return new LayerSpool(space, space.maxBytes ?? (await quarterOfFree(space.directory)));
  }

  /** The same layers, each of which is unpacked once if there is room. */
  keep(layers: readonly LayerSource[]): LayerSource[] {
    return layers.map((layer) => {
      let file: SpoolFile | undefined;
      return {
        diffId: layer.diffId,
        ...(layer.isInjected === true ? { isInjected: true } : {}),
        open: (options) => {
          if (options.isSecondReading && file?.isComplete)
            return this.#replay(layer, file, options);
          if (options.isSecondReading) return layer.open(options);
          file = new SpoolFile();
          return this.#record(layer, file, options);
        },
      };
    });
  }

  /** Closes what is open. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const file of this.#files) await this.#close(file);
  }

  async *#record(
    layer: LayerSource,
    file: SpoolFile,
    options: OpenLayerSourceOptions,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    let isKept = true;
    file.buffers = [this.#takeBuffer(), this.#takeBuffer()];
    try {
      for await (const chunk of layer.open(options)) {
        if (isKept) isKept = await this.#append(file, chunk);
        yield chunk;
      }
      isKept &&= file.handle !== undefined && (await this.#writeOut(file));
      if (isKept && (await file.writing)) file.isComplete = true;
      else await this.#close(file);
    } finally {
      await file.writing;
      this.#spare.push(...file.buffers);
    }
  }

  async *#replay(
    layer: LayerSource,
    file: SpoolFile,
    { signal }: OpenLayerSourceOptions,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const buffers = [this.#takeBuffer(), this.#takeBuffer()] as const;
    const readAt = async (at: number): Promise<Uint8Array> => {
      const length = Math.min(bufferBytes, file.sizeBytes - at);
      const into = buffers[(at / bufferBytes) % 2] as Uint8Array;
      const bytes = await file.handle?.read(at, inBlocks(length), into);
      return bytes?.subarray(0, length) ?? new Uint8Array(0);
    };
    let reading = readAt(0);
    try {
      for (let at = 0; at < file.sizeBytes; at += bufferBytes) {
        const chunk = await reading;
        if (chunk.byteLength < Math.min(bufferBytes, file.sizeBytes - at)) throw cutShort(layer);
        signal?.throwIfAborted();
        // The next one is read while this one is looked at.
        reading = at + bufferBytes < file.sizeBytes ? readAt(at + bufferBytes) : reading;
        yield chunk;
      }
    } finally {
      await reading.catch(() => {});
      this.#spare.push(...buffers);
      await this.#close(file);
    }
  }

  /** @returns Whether the file holds, or is going to hold, all that came so far. */
  async #append(file: SpoolFile, chunk: Uint8Array): Promise<boolean> {
    for (let at = 0; at < chunk.byteLength; ) {
      if (file.filled === bufferBytes && !(await this.#writeOut(file))) return false;
      at += file.gather(chunk.subarray(at));
    }
    return true;
  }

  /** Starts to write what was gathered, once what was gathered before is written. @returns Whether that worked out. */
  async #writeOut(file: SpoolFile): Promise<boolean> {
    this.#freeBytes -= file.filled;
    file.sizeBytes += file.filled;
    const isWritten = await this.#inTime(file.writing);
    const isThere = isWritten && this.#freeBytes >= 0 && (await this.#begin(file));
    if (isThere) file.write();
    else await this.#close(file);
    return isThere;
  }

  /** Waits for a write. A disk that holds the unpacking up by far would hold the reading up too; the page cache does neither. */
  async #inTime(writing: Promise<boolean>): Promise<boolean> {
    const fromMs = this.#monotonicMs();
    this.#firstMs ??= fromMs;
    const isWritten = await writing;
    const nowMs = this.#monotonicMs();
    this.#writes += 1;
    this.#waitedMs += nowMs - fromMs;
    const isSlow = this.#waitedMs * 3 > (nowMs - this.#firstMs) * 2;
    if (isSlow && this.#writes > triedWrites) this.#isDirect = false;
    return isWritten;
  }

  /** Opens the file of a layer unless it is open. @returns Whether it is there. */
  async #begin(file: SpoolFile): Promise<boolean> {
    if (file.handle !== undefined) return true;
    const path = temporaryPathFor(join(this.#directory, "layer"));
    try {
      this.#files.add(file);
      const direct = (): boolean => this.#isDirect;
      file.handle = await openFile(path, { mode: "create", direct, fs: this.#fs });
      await this.#fs.unlink(path);
      return true;
    } catch {
      // The build does without: what is wrong with the disk will show when the image is written.
      return false;
    }
  }

  /** Gives the room of a file back. */
  async #close(file: SpoolFile): Promise<void> {
    this.#files.delete(file);
    this.#freeBytes += file.sizeBytes;
    file.sizeBytes = 0;
    file.isComplete = false;
    await file.writing;
    await file.handle?.close().catch(() => {});
  }

  #takeBuffer(): Uint8Array {
    return this.#spare.pop() ?? pageAlignedBytes(bufferBytes);
  }
}

/** What one layer unpacked to. */
class SpoolFile {
  handle: OpenFile | undefined;
  /** Bytes of the layer in the file; what follows up to the end of the last block is of no use. */
  sizeBytes = 0;
  /** Whether the layer was read to its end, without a failure, and all of it is there. */
  isComplete = false;
  /** The last write, which ends with whether the file is still of use. */
  writing: Promise<boolean> = Promise.resolve(true);
  /** While it is recorded: what is gathered in, and what is being written. */
  buffers: readonly Uint8Array[] = [];
  filled = 0;

  /** Takes as much as there is room for. @returns How many bytes that is. */
  gather(bytes: Uint8Array): number {
    const taken = Math.min(bytes.byteLength, bufferBytes - this.filled);
    this.buffers[0]?.set(bytes.subarray(0, taken), this.filled);
    this.filled += taken;
    return taken;
  }

  /** Writes what was gathered, which {@link sizeBytes} counts already. */
  write(): void {
    const bytes = this.buffers[0]?.subarray(0, inBlocks(this.filled));
    const at = this.sizeBytes - this.filled;
    this.buffers = this.buffers.toReversed();
    this.filled = 0;
    this.writing = (async () => {
      try {
        if (bytes !== undefined) await this.handle?.write?.(at, bytes);
        return true;
      } catch {
        return false;
      }
    })();
  }
}

/** A length in whole blocks: what is no multiple of them cannot go past the page cache. */
function inBlocks(bytes: number): number {
  return Math.ceil(bytes / blockBytes) * blockBytes;
}

async function quarterOfFree(directory: string): Promise<number> {
  try {
    const { bavail, bsize } = await statfs(directory);
    return Math.floor((bavail * bsize) / 4);
  } catch {
    return 0;
  }
}

function cutShort({ diffId }: LayerSource): RootfsError {
  return new RootfsError({
    code: "ROOTFS_LAYER_CHANGED",
    message: `what layer ${diffId} unpacked to was cut short while it was built`,
    details: { diffId },
  });
}
