import { constants, createGunzip, createZstdDecompress } from "node:zlib";
import { isBoxError } from "@box/errors";
import type { Compression } from "@box/oras";
import { ImageError } from "../errors.ts";
import { gunzipHashed } from "./gunzip-hashed.ts";
import { type ChunkHandling, chunkSize, through } from "./through-decoder.ts";
import { ZstdFrames } from "./zstd-frames.ts";

/** How much work and memory a zstd stream may ask for. */
export interface ZstdLimits {
  /** The most frames. */
  readonly maxFrames: number;
  /** The largest window, in bytes; what lies between two powers of two counts as the lower one. */
  readonly maxWindowBytes: number;
}

/**
 * The default limits. Chunked layers have about one frame for each file. Windows are 8 MiB at most up to zstd's level 19, as
 * RFC 8878 recommends, and 32 MiB at level 20; a decoder holds all of its window in memory.
 */
export const defaultZstdLimits: ZstdLimits = {
  maxFrames: 2_000_000,
  maxWindowBytes: 32 * 1024 * 1024,
};

/**
 * Decompresses a stream. gzip may have many members, zstd many frames and skippable ones.
 *
 * @throws {@link ImageError} `OCI_LAYER_CORRUPT`, `OCI_LAYER_TOO_LARGE` for too many frames or too large a window,
 * `OCI_COMPRESSION_UNSUPPORTED`; errors of the input pass unchanged.
 */
export function decompress(
  chunks: AsyncIterable<Uint8Array>,
  compression: Compression,
  handling: ChunkHandling = {},
  limits: ZstdLimits = defaultZstdLimits,
): AsyncIterable<Uint8Array> {
  switch (compression) {
    case "gzip":
      return handling.isHashed
        ? gunzipHashed(chunks, handling)
        : through(chunks, createGunzip({ chunkSize }), handling);
    case "zstd":
      return decompressZstd(chunks, handling, limits);
    case "none":
      return chunks;
    case "unsupported":
      throw new ImageError({
        code: "OCI_COMPRESSION_UNSUPPORTED",
        message: "cannot decompress the layer: it is compressed by bzip2 or xz",
        hint: "push the image again with gzip or zstd layers",
      });
  }
}

async function* decompressZstd(
  chunks: AsyncIterable<Uint8Array>,
  { isTransient }: ChunkHandling,
  { maxFrames, maxWindowBytes }: ZstdLimits,
): AsyncGenerator<Uint8Array, void, undefined> {
  const pieces = splitFrames(chunks, maxFrames);
  const first = await pieces.next();
  // Without any frame there is nothing, and a decoder would miss its end.
  if (first.done) return;
  // One decoder for all: to make one takes longer than to decode a small file. It goes on with the next frame as long as
  // none of its chunks holds the end of one and the start of another.
  const params = { [constants.ZSTD_d_windowLogMax]: windowLogOf(maxWindowBytes) };
  const decoder = createZstdDecompress({ chunkSize, params });
  try {
    yield* through(startingWith(first.value, pieces), decoder, { isTransient });
  } catch (error) {
    throw isWindowTooLarge(error) ? windowTooLarge(maxWindowBytes, error) : error;
  }
}

/** The decoder takes windows from 2^10 to 2^31 bytes. */
function windowLogOf(bytes: number): number {
  return Math.min(31, Math.max(10, Math.floor(Math.log2(bytes))));
}

function isWindowTooLarge(error: unknown): boolean {
  const reason = isBoxError(error) ? error.details["reason"] : undefined;
  return reason === "ZSTD_error_frameParameter_windowTooLarge";
}

function windowTooLarge(maxWindowBytes: number, cause: unknown): ImageError {
  return new ImageError({
    code: "OCI_LAYER_TOO_LARGE",
    message: `cannot decompress the layer: its zstd window exceeds ${maxWindowBytes} bytes`,
    details: { limit: maxWindowBytes },
    hint: "if you trust the image, allow a larger window, which is held in memory: --limit layer-window=128MiB",
    cause,
  });
}

async function* splitFrames(
  chunks: AsyncIterable<Uint8Array>,
  maxFrames: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  const frames = new ZstdFrames();
  let count = 0;
  for await (const chunk of chunks) {
    for (const piece of frames.push(chunk)) {
      if (piece.type === "data") yield piece.bytes;
      else if (++count > maxFrames) throw tooManyFrames(maxFrames);
    }
  }
  frames.finish();
}

async function* startingWith(
  first: Uint8Array,
  rest: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  yield first;
  yield* rest;
}

function tooManyFrames(maxFrames: number): ImageError {
  return new ImageError({
    code: "OCI_LAYER_TOO_LARGE",
    message: `cannot decompress the layer: it has more than ${maxFrames} zstd frames`,
    details: { limit: maxFrames },
  });
}
