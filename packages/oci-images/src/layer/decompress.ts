import type { Transform } from "node:stream";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { isBoxError } from "@box/errors";
import type { Compression } from "@box/oras";
import { ImageError } from "../errors.ts";
import { ZstdFrames, type ZstdPiece } from "./zstd-frames.ts";

/** The size of output chunks: Node's default of 16 KiB makes decompression more than twice as slow. */
const chunkSize = 1024 * 1024;

/** Whose the memory of chunks is. */
export interface ChunkMemory {
  /** A decompressed chunk is gone when the next one is asked for. */
  readonly isTransient?: boolean | undefined;
  /** Compressed chunks belong to the decoder, which gives their memory back. */
  readonly ownsInput?: boolean | undefined;
}

/**
 * Decompresses a stream. gzip may have many members, zstd many frames and skippable ones.
 *
 * @throws {@link ImageError} `OCI_LAYER_CORRUPT`, `OCI_LAYER_TOO_LARGE` for a zstd window over 128 MiB,
 * `OCI_COMPRESSION_UNSUPPORTED`; errors of the input pass unchanged.
 */
export function decompress(
  chunks: AsyncIterable<Uint8Array>,
  compression: Compression,
  memory: ChunkMemory = {},
): AsyncIterable<Uint8Array> {
  switch (compression) {
    case "gzip":
      return through(chunks, createGunzip({ chunkSize }), memory);
    case "zstd":
      return decompressZstd(chunks, memory);
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
  { isTransient }: ChunkMemory,
): AsyncGenerator<Uint8Array, void, undefined> {
  const memory = { isTransient };
  const pieces = splitFrames(chunks);
  for (let first = await pieces.next(); !first.done; first = await pieces.next()) {
    const decoder = createZstdDecompress({ chunkSize });
    yield* through(oneFrame(first.value, pieces), decoder, memory);
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
  { isTransient, ownsInput }: ChunkMemory,
): AsyncGenerator<Uint8Array, void, undefined> {
  const fed = feed(chunks, decoder, ownsInput === true);
  try {
    for await (const chunk of decoder as AsyncIterable<Uint8Array>) {
      yield chunk;
      if (isTransient) release(chunk, chunkSize);
    }
  } catch (error) {
    throw toLayerError(error);
  } finally {
    // What is left of the input belongs to others from here on.
    await fed;
  }
}

/** Gives the decoder one chunk after the other; stops when the decoder does. */
async function feed(
  chunks: AsyncIterable<Uint8Array>,
  decoder: Transform,
  ownsChunks: boolean,
): Promise<void> {
  // A decoder that fails never says that it is done with a chunk.
  const closed = new Promise<void>((resolve) => decoder.once("close", resolve));
  try {
    for await (const chunk of chunks) {
      const taken = new Promise<void>((resolve) => decoder.write(chunk, () => resolve()));
      await Promise.race([taken, closed]);
      if (decoder.destroyed) return;
      if (ownsChunks) release(chunk, chunk.byteLength);
    }
    decoder.end();
  } catch (error) {
    decoder.destroy(error as Error);
  }
}

/**
 * Gives the memory of a chunk back at once. Left to the garbage collector, megabytes that live for a moment make it run
 * all the time.
 *
 * @param bytes - The size of its buffer. A decoder fills one from its start to its end, and has another one by the time
 * that the end is out.
 */
function release(chunk: Uint8Array, bytes: number): void {
  const { buffer, byteOffset, byteLength } = chunk;
  const isLast = byteOffset + byteLength === bytes && buffer.byteLength === bytes;
  if (isLast && buffer instanceof ArrayBuffer) buffer.transfer(0);
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
