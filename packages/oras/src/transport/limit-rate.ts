/** A body slower than this many bytes in so much time is given up. */
const slowestBytes = 60 * 1024;
const slowestWindowMs = 60_000;

/**
 * Gives up on a body that drips: each byte restarts the idle time-out, so that one alone is not enough. Only the time
 * that is spent waiting for the other side counts.
 *
 * @param now - The client's clock, in milliseconds.
 * @param tooSlow - Makes the error that is thrown.
 */
export async function* limitRate(
  chunks: AsyncIterable<Uint8Array>,
  now: () => number,
  tooSlow: () => Error,
): AsyncGenerator<Uint8Array, void, undefined> {
  let waitedMs = 0;
  let bytes = 0;
  let since = now();
  for await (const chunk of chunks) {
    waitedMs += now() - since;
    bytes += chunk.byteLength;
    if (waitedMs >= slowestWindowMs) {
      if (bytes < slowestBytes) throw tooSlow();
      waitedMs = 0;
      bytes = 0;
    }
    yield chunk;
    since = now();
  }
}
