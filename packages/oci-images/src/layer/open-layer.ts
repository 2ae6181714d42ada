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
   * Only what the layer unpacks to is hashed, of which the image's config gives the digest. The blob is read
   * again with every check when there is a fault, which is then told as ever. What passes unseen is damage that does no harm
   * to the content, as in the time or the checksum of gzip.
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
  try {
    yield* readLayer(storage, layer, options);
  } catch (error) {
    if (options.hashesContentOnly === true && isFaultOfContent(error)) {
      const { hashesContentOnly: _, onMislabelled: _told, ...strictly } = options;
      for await (const _chunk of readLayer(storage, layer, strictly));
    }
    throw error;
  }
}

async function* readLayer(
  storage: ReadonlyStorage,
  layer: ImageLayer,
  options: OpenLayerOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { descriptor, diffId } = layer;
  const input = new LayerInput(storage, layer, options);
  const compressed = input.chunks();
  const { start, chunks } = await peek(compressed, magicBytes);
  const found = detectCompression(start);
  const claimed = claimedCompression(descriptor.mediaType);
  if (found !== claimed) options.onMislabelled?.(claimed, found);
  const digester = new Digester(digestAlgorithm(diffId));
  const handling = {
    isTransient: options.hasTransientChunks,
    ownsInput: options.ownsStoredChunks,
    isHashed: options.hashesContentOnly,
  };
  const limits = { ...defaultLayerLimits, ...options.limits };
  const guard = new ExpansionGuard(`cannot unpack layer ${descriptor.digest}`, limits, {
    digest: descriptor.digest,
    compressedBytes: descriptor.size,
  });
  try {
    for await (const chunk of decompress(chunks, found, handling, limits)) {
      digester.update(chunk);
      guard.add(chunk.byteLength, input.size);
      yield chunk;
    }
    await input.drain(compressed);
  } catch (error) {
    if (!isBoxError(error) || error.code !== "OCI_LAYER_CORRUPT") throw error;
    // Bit rot shows in the decoder first; the digest tells it from a layer that was always malformed.
    await input.drain(compressed);
    throw error;
  } finally {
    // A reader that stops early, as for a layer that breaks a rule, must not leave the blob open.
    await compressed.return();
  }
  if (input.size !== descriptor.size)
    throw wrongSize(descriptor.digest, descriptor.size, input.size);
  const actual = digester.digest();
  if (actual !== diffId) throw wrongDiffId(descriptor.digest, diffId, actual);
}

/** Whether reading everything once more, with every check, may tell better what is wrong. */
function isFaultOfContent(error: unknown): boolean {
  return (
    isBoxError(error) &&
    (error.code === "OCI_LAYER_CORRUPT" || error.code === "OCI_DIFF_ID_MISMATCH")
  );
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
    const { signal, hashesContentOnly } = this.#options;
    const fetching = { signal, verify: hashesContentOnly !== true };
    try {
      for await (const chunk of await this.#storage.fetch(this.#layer.descriptor, fetching)) {
        if (signal?.aborted) throw stopped(signal);
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
}

function wrongSize(digest: Digest, expectedBytes: number, bytes: number): ImageError {
  return new ImageError({
    code: "OCI_LAYER_CORRUPT",
    message: `layer ${digest} has ${bytes} bytes, expected ${expectedBytes}`,
    details: { digest, expectedBytes, bytes },
  });
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
