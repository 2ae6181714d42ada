import { aborted, throwIfAborted } from "../transport/pacing.ts";

/**
 * Passes chunks on until a signal says to stop, also while none comes.
 *
 * @throws OrasError `ORAS_ABORTED`; what the input throws passes unchanged.
 */
export async function* untilAborted(
  chunks: AsyncIterable<Uint8Array>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  throwIfAborted(signal);
  const iterator = chunks[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await nextOrStop(iterator, signal);
      if (next.done) return;
      yield next.value;
    }
  } finally {
    const ending = iterator.return?.();
    // An input that waits for a chunk ends when that has come, if ever.
    if (signal?.aborted) ending?.catch(() => {});
    else await ending;
  }
}

function nextOrStop(
  iterator: AsyncIterator<Uint8Array>,
  signal: AbortSignal | undefined,
): Promise<IteratorResult<Uint8Array>> {
  const { promise, resolve, reject } = Promise.withResolvers<IteratorResult<Uint8Array>>();
  const stop = (): void => reject(aborted(signal));
  signal?.addEventListener("abort", stop, { once: true });
  iterator
    .next()
    .then(resolve, reject)
    .finally(() => signal?.removeEventListener("abort", stop));
  return promise;
}
