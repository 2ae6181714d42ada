import { releaseChunk } from "../content/release-chunk.ts";

const stepBytes = 256 * 1024;

/**
 * Copies chunks that are made for their reader into two buffers that take turns, and gives their memory back at once: of a
 * request's body, never more than one of them is on its way.
 */
export async function* inTurns(
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
