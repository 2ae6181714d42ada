import { isBoxError } from "@box/errors";
import {
  type Digest,
  Digester,
  detectCompression,
  digestAlgorithm,
  magicBytes,
  type OperationOptions,
  OrasError,
  type ReadonlyStorage,
} from "@box/oras";
import { ImageError } from "../errors.ts";
import type { ImageLayer } from "../image/image.ts";
import { claimedCompression } from "./compression.ts";
import { decompress, defaultZstdLimits, type ZstdLimits } from "./decompress.ts";
import { ExpansionGuard } from "./expansion-guard.ts";
import { peek } from "./peek.ts";

/** How far a layer may expand. */
export interface LayerLimits extends ZstdLimits {
  /** The most bytes of its tar archive; 64 GiB unless given. */
  readonly maxTarBytes: number;
  /** The most bytes of archive for one compressed byte; 1000 unless given. */
  readonly maxRatio: number;
  /** The ratio counts from so many bytes of archive on; 64 MiB unless given. */
  readonly ratioFromBytes: number;
  /** The most frames of a zstd blob, each of which costs time; 2,000,000 unless given. */
  readonly maxFrames: number;
  /** The largest window of a zstd blob, in bytes, which is held in memory; 32 MiB unless given. */
  readonly maxWindowBytes: number;
}

/** The default limits. */
export const defaultLayerLimits: LayerLimits = {
  maxTarBytes: 64 * 1024 ** 3,
  maxRatio: 1000,
  ratioFromBytes: 64 * 1024 ** 2,
  ...defaultZstdLimits,
};

/** Options of {@link openLayer}. */
export interface OpenLayerOptions extends OperationOptions {
  /** How far the layer may expand. */
  readonly limits?: Partial<LayerLimits>;
  /** Told when the layer's media type claims another compression than its content has. */
  readonly onMislabelled?: (claimed: string, found: string) => void;
  /** A chunk is of use only until the next one is asked for: its memory is then used again. Saves much of the time. */
  readonly hasTransientChunks?: boolean;
  /** The storage makes a chunk anew for each reading, as a layout does; its memory need not be kept. */
  readonly ownsStoredChunks?: boolean;
  /**
   * Only what the layer unpacks to is hashed, of which the image's config gives the digest. The blob is hashed too when
   * there is a fault, which is then told as ever. What passes unseen is damage that no content comes of, as in the time of
   * a gzip header.
   */
  readonly hashesContentOnly?: boolean;
}

/**
 * Reads a layer's tar archive. The compressed digest, unless the options say otherwise, the size and the diffID are
 * verified before the end; what came before is not to be trusted until then.
 *
 * @throws OrasError `OCI_DIGEST_MISMATCH`, `OCI_SIZE_MISMATCH`, `OCI_NOT_FOUND`; {@link ImageError}
 * `OCI_DIFF_ID_MISMATCH`, `OCI_LAYER_CORRUPT`, `OCI_LAYER_TOO_LARGE`, `OCI_COMPRESSION_UNSUPPORTED`; IoError.
 */
export async function* openLayer(
  storage: ReadonlyStorage,
  layer: ImageLayer,
  options: OpenLayerOptions = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  const { descriptor, diffId } = layer;
  const input = new LayerInput(storage, layer, options);
  const compressed = input.chunks();
  const { start, chunks } = await peek(compressed, magicBytes);
  const found = detectCompression(start);
  const claimed = claimedCompression(descriptor.mediaType);
  if (found !== claimed) options.onMislabelled?.(claimed, found);
  const digester = new Digester(digestAlgorithm(diffId));
  const memory = { isTransient: options.hasTransientChunks, ownsInput: options.ownsStoredChunks };
  const limits = { ...defaultLayerLimits, ...options.limits };
  const guard = new ExpansionGuard(`cannot unpack layer ${descriptor.digest}`, limits, {
    digest: descriptor.digest,
    compressedBytes: descriptor.size,
  });
  try {
    for await (const chunk of decompress(chunks, found, memory, limits)) {
      digester.update(chunk);
      guard.add(chunk.byteLength, input.size);
      yield chunk;
    }
    await input.drain(compressed);
    if (input.size !== descriptor.size) await input.verify();
  } catch (error) {
    if (!isBoxError(error) || error.code !== "OCI_LAYER_CORRUPT") throw error;
    // Bit rot shows in the decoder first; the digest tells it from a layer that was always malformed.
    await input.drain(compressed);
    await input.verify();
    throw error;
  } finally {
    // A reader that stops early, as for a layer that breaks a rule, must not leave the blob open.
    await compressed.return();
  }
  const actual = digester.digest();
  if (actual === diffId) return;
  await input.verify();
  throw wrongDiffId(descriptor.digest, diffId, actual);
}

/** Counts and hashes the compressed bytes on their way to the decoder. */
class LayerInput {
  readonly #storage: ReadonlyStorage;
  readonly #layer: ImageLayer;
  readonly #options: OpenLayerOptions;
  #failure: unknown;
  size = 0;

  constructor(storage: ReadonlyStorage, layer: ImageLayer, options: OpenLayerOptions) {
    this.#storage = storage;
    this.#layer = layer;
    this.#options = options;
  }

  async *chunks(): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      for await (const chunk of this.#read(this.#options.hashesContentOnly !== true)) {
        this.size += chunk.byteLength;
        yield chunk;
      }
    } catch (error) {
      this.#failure = error;
      throw error;
    }
  }

  /** Reads what the decoder left, so that size and digest are judged. */
  async drain(chunks: AsyncIterable<Uint8Array>): Promise<void> {
    for await (const _chunk of chunks);
    // The decoder may have been told already, and have failed by itself before it could pass it on.
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Reads the blob once more, unless it was hashed: size and digest tell whether a fault is one of the storage. */
  async verify(): Promise<void> {
    if (this.#options.hashesContentOnly !== true) return;
    for await (const _chunk of this.#read(true));
  }

  async *#read(verify: boolean): AsyncGenerator<Uint8Array, void, undefined> {
    const { signal } = this.#options;
    for await (const chunk of await this.#storage.fetch(this.#layer.descriptor, {
      signal,
      verify,
    })) {
      if (signal?.aborted) throw stopped(signal);
      yield chunk;
    }
  }
}

function wrongDiffId(digest: Digest, expected: Digest, found: Digest): ImageError {
  return new ImageError({
    code: "OCI_DIFF_ID_MISMATCH",
    message: `layer ${digest} unpacks to ${found}, its image's config says ${expected}`,
    details: { digest, expected, found },
    hint: "the image was built wrongly or tampered with; build or fetch it again",
  });
}

function stopped(signal: AbortSignal): OrasError {
  return new OrasError({
    code: "ORAS_ABORTED",
    message: "the operation was stopped",
    cause: signal.reason,
  });
}
