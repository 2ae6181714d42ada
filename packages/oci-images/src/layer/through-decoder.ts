import type { Transform } from "node:stream";
import { isBoxError } from "@box/errors";
import { ImageError } from "../errors.ts";

/** The size of output chunks: Node's default of 16 KiB makes decompression more than twice as slow. */
export const chunkSize: number = 1024 * 1024;

/** How chunks are handled. */
export interface ChunkHandling {
  /** A decompressed chunk is gone when the next one is asked for. */
  readonly isTransient?: boolean | undefined;
  /** Compressed chunks belong to the decoder, which gives their memory back. */
  readonly ownsInput?: boolean | undefined;
  /** What comes out is compared with a digest: checksums of the compressed form need not be computed. */
  readonly isHashed?: boolean | undefined;
}

/** A decoder of Node, which tells how much it took of what it was given. */
export type Decoder = Transform & { readonly bytesWritten: number };

/** Gives a stream to a decoder of Node and yields what comes out of it; its complaints become `OCI_LAYER_CORRUPT`. */
export async function* through(
  chunks: AsyncIterable<Uint8Array>,
  decoder: Decoder,
  { isTransient, ownsInput }: ChunkHandling,
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
  decoder: Decoder,
  ownsChunks: boolean,
): Promise<void> {
  let givenBytes = 0;
  // A decoder that fails never says that it is done with a chunk.
  const closed = new Promise<void>((resolve) => decoder.once("close", resolve));
  try {
    for await (const chunk of chunks) {
      const taken = new Promise<void>((resolve) => decoder.write(chunk, () => resolve()));
      await Promise.race([taken, closed]);
      if (decoder.destroyed) return;
      givenBytes += chunk.byteLength;
      // One that leaves something, as of the zeros after gzip, is at its end. Given more it would fail when nobody listens.
      const isAtEnd = decoder.bytesWritten < givenBytes;
      if (ownsChunks) release(chunk, chunk.byteLength);
      if (isAtEnd) break;
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
export function release(chunk: Uint8Array, bytes: number): void {
  const { buffer, byteOffset, byteLength } = chunk;
  const isLast = byteOffset + byteLength === bytes && buffer.byteLength === bytes;
  if (isLast && buffer instanceof ArrayBuffer) buffer.transfer(0);
}

/** Only what the decoder itself says is about the content. */
function toLayerError(error: unknown): unknown {
  if (isBoxError(error) || !(error instanceof Error)) return error;
  const { code } = error as { code?: unknown };
  if (typeof code !== "string" || !/^(Z_|ZSTD_)/.test(code)) return error;
  return new ImageError({
    code: "OCI_LAYER_CORRUPT",
    message: `cannot decompress the layer: ${error.message}`,
    details: { reason: code },
    cause: error,
  });
}
