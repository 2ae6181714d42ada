import { releaseChunk } from "../content/release-chunk.ts";
import type { BlobSource } from "../content/target.ts";

const stepBytes = 256 * 1024;

/**
 * Reads a source for a request's body. Chunks that are made for their reader are copied into two buffers that take turns, and
 * their memory is given back at once: what is on its way is never more than one of them.
 */
export async function openBody(
  { open, ownsNoChunks }: BlobSource,
  offset: number,
): Promise<AsyncIterable<Uint8Array>> {
  const chunks = await open(offset);
  return ownsNoChunks ? inTurns(chunks) : chunks;
}

async function* inTurns(
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  const buffers = [new Uint8Array(stepBytes), new Uint8Array(stepBytes)] as const;
  let turn: 0 | 1 = 0;
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.byteLength; at += stepBytes) {
      const part = chunk.subarray(at, at + stepBytes);
      const buffer = buffers[turn];
      buffer.set(part);
      turn = turn === 0 ? 1 : 0;
      yield buffer.subarray(0, part.byteLength);
    }
    releaseChunk(chunk);
  }
}
