import { pipeline, Readable, type Transform } from "node:stream";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { isBoxError } from "@box/errors";
import { ImageError } from "../errors.ts";
import type { Compression } from "./compression.ts";
import { ZstdFrames, type ZstdPiece } from "./zstd-frames.ts";

/** The size of output chunks: Node's default of 16 KiB makes decompression more than twice as slow. */
const chunkSize = 1024 * 1024;

/**
 * Decompresses a stream. gzip may have many members, zstd many frames and skippable ones.
 *
 * @throws {@link ImageError} `OCI_LAYER_CORRUPT`, `OCI_LAYER_TOO_LARGE` for a zstd window over 128 MiB,
 * `OCI_COMPRESSION_UNSUPPORTED`; errors of the input pass unchanged.
 */
export function decompress(
  chunks: AsyncIterable<Uint8Array>,
  compression: Compression,
): AsyncIterable<Uint8Array> {
  switch (compression) {
    case "gzip":
      return through(chunks, createGunzip({ chunkSize }));
    case "zstd":
      return decompressZstd(chunks);
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
): AsyncGenerator<Uint8Array, void, undefined> {
  const pieces = splitFrames(chunks);
  for (let first = await pieces.next(); !first.done; first = await pieces.next()) {
    yield* through(oneFrame(first.value, pieces), createZstdDecompress({ chunkSize }));
  }
}

async function* splitFrames(
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<ZstdPiece, void, undefined> {
  const frames = new ZstdFrames();
  for await (const chunk of chunks) yield* frames.push(chunk);
  frames.finish();
}

async function* oneFrame(
  first: ZstdPiece,
  pieces: AsyncGenerator<ZstdPiece, void, undefined>,
): AsyncGenerator<Uint8Array, void, undefined> {
  let piece: ZstdPiece | undefined = first;
  while (piece?.type === "data") {
    yield piece.bytes;
    const next = await pieces.next();
    piece = next.done ? undefined : next.value;
  }
}

async function* through(
  chunks: AsyncIterable<Uint8Array>,
  decoder: Transform,
): AsyncGenerator<Uint8Array, void, undefined> {
  const output = pipeline(Readable.from(chunks, { objectMode: true }), decoder, () => {});
  try {
    for await (const chunk of output) yield chunk as Uint8Array;
  } catch (error) {
    throw toLayerError(error);
  }
}

/** Only what the decoder itself says is about the content. */
function toLayerError(error: unknown): unknown {
  if (isBoxError(error) || !(error instanceof Error)) return error;
  const { code } = error as { code?: unknown };
  if (typeof code !== "string" || !/^(Z_|ZSTD_)/.test(code)) return error;
  const isWindow = code === "ZSTD_error_frameParameter_windowTooLarge";
  return new ImageError({
    code: isWindow ? "OCI_LAYER_TOO_LARGE" : "OCI_LAYER_CORRUPT",
    message: `cannot decompress the layer: ${isWindow ? "its zstd window exceeds 128 MiB" : error.message}`,
    details: { reason: code },
    cause: error,
  });
}
