import { statfs } from "node:fs/promises";
import { join } from "node:path";
import type { OpenFile } from "@box/io";
import { type FileSystem, nodeFileSystem, openFile, temporaryPathFor } from "@box/io/node";
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
}

const bufferBytes = 1024 * 1024;
/** Below this, unpacking again costs less than a file does. */
const leastBytes = 1024 * 1024;

/**
 * Keeps what layers unpack to from their first reading to their second, so that nothing is decompressed twice.
 *
 * It only ever saves time: where there is no room, or a write fails, the layer is unpacked twice.
 */
export class LayerSpool implements AsyncDisposable {
  readonly #directory: string;
  readonly #fs: FileSystem;
  readonly #files = new Set<SpoolFile>();
  #freeBytes: number;

  private constructor({ directory, fs = nodeFileSystem }: ScratchSpace, freeBytes: number) {
    this.#directory = directory;
    this.#fs = fs;
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
    let held: Uint8Array | undefined;
    let isKept = options.isSecondReading !== true;
    for await (const chunk of layer.open(options)) {
      if (isKept && file.handle === undefined) {
        const start: Uint8Array = held === undefined ? chunk : joined(held, chunk);
        held = undefined;
        if (start.byteLength <= leastBytes) held = new Uint8Array(start);
        else isKept = await this.#begin(file, start);
        yield chunk;
        continue;
      }
      if (isKept) file.writing = this.#append(file, chunk);
      yield chunk;
      if (isKept) isKept = await file.writing;
    }
    file.isComplete = isKept && file.handle !== undefined;
  }

  async *#replay(
    layer: LayerSource,
    file: SpoolFile,
    { signal }: OpenLayerSourceOptions,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const buffers = [new Uint8Array(bufferBytes), new Uint8Array(bufferBytes)] as const;
    const readAt = async (at: number): Promise<Uint8Array> => {
      const length = Math.min(bufferBytes, file.sizeBytes - at);
      const into = buffers[(at / bufferBytes) % 2] as Uint8Array;
      return (await file.handle?.read(at, length, into)) ?? new Uint8Array(0);
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
      await this.#close(file);
    }
  }

  /** Opens the file of a layer with its first bytes. @returns Whether it is there. */
  async #begin(file: SpoolFile, start: Uint8Array): Promise<boolean> {
    const path = temporaryPathFor(join(this.#directory, "layer"));
    try {
      file.handle = await openFile(path, { mode: "create", fs: this.#fs });
      this.#files.add(file);
      await this.#fs.unlink(path);
    } catch {
      await this.#close(file);
      return false;
    }
    file.writing = this.#append(file, start);
    return file.writing;
  }

  /** @returns Whether the file holds all that came so far. */
  async #append(file: SpoolFile, chunk: Uint8Array): Promise<boolean> {
    this.#freeBytes -= chunk.byteLength;
    const at = file.sizeBytes;
    file.sizeBytes += chunk.byteLength;
    try {
      if (this.#freeBytes >= 0) {
        await file.handle?.write?.(at, chunk);
        return true;
      }
    } catch {
      // The build does without: what is wrong with the disk will show when the image is written.
    }
    void this.#close(file);
    return false;
  }

  /** Gives the room of a file back. */
  async #close(file: SpoolFile): Promise<void> {
    if (!this.#files.delete(file)) return;
    file.isComplete = false;
    this.#freeBytes += file.sizeBytes;
    await file.handle?.close().catch(() => {});
  }
}

/** What one layer unpacked to. */
class SpoolFile {
  handle: OpenFile | undefined;
  sizeBytes = 0;
  /** Whether the layer was read to its end, without a failure, and all of it is there. */
  isComplete = false;
  /** The last write, which ends with whether the file is still of use. */
  writing: Promise<boolean> = Promise.resolve(true);
}

async function quarterOfFree(directory: string): Promise<number> {
  try {
    const { bavail, bsize } = await statfs(directory);
    return Math.floor((bavail * bsize) / 4);
  } catch {
    return 0;
  }
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  const all = new Uint8Array(first.byteLength + second.byteLength);
  all.set(first);
  all.set(second, first.byteLength);
  return all;
}

function cutShort({ diffId }: LayerSource): RootfsError {
  return new RootfsError({
    code: "ROOTFS_LAYER_CHANGED",
    message: `what layer ${diffId} unpacked to was cut short while it was built`,
    details: { diffId },
  });
}
