/** Options of a shared start. */
export interface OnceOptions {
  /** Stops this caller's waiting. The last one to leave tells the work to stop, and waits until it has. */
  readonly signal?: AbortSignal;
}

/** Work that is done once and shared. Made by {@link once}. */
export type Once<Value> = (options?: OnceOptions) => Promise<Value>;

interface Attempt<Value> {
  readonly result: Promise<Value>;
  readonly controller: AbortController;
  waiting: number;
}

/**
 * Shares one run of `start` among all callers.
 *
 * Callers that come while it runs wait for the same run; later ones get its value at once. A run that failed is
 * forgotten: those who waited get its error, the next caller starts anew. Two runs never overlap. A run that finishes
 * although it was told to stop counts.
 */
export function once<Value>(start: (signal: AbortSignal) => Promise<Value>): Once<Value> {
  let current: Attempt<Value> | undefined;
  let done: { readonly value: Value } | undefined;
  let stopping: Promise<unknown> = Promise.resolve();

  const begin = (): Attempt<Value> => {
    const controller = new AbortController();
    const before = stopping;
    const run = async () => {
      await before;
      if (done !== undefined) return done.value;
      const value = await start(controller.signal);
      done = { value };
      return value;
    };
    const attempt: Attempt<Value> = { result: run(), controller, waiting: 0 };
    stopping = attempt.result.then(
      () => undefined,
      () => {
        if (current === attempt) current = undefined;
      },
    );
    return attempt;
  };

  const leave = async (attempt: Attempt<Value>, reason: unknown) => {
    attempt.waiting -= 1;
    if (attempt.waiting > 0 || current !== attempt || done !== undefined) return;
    current = undefined;
    attempt.controller.abort(reason);
    await stopping;
  };

  return async ({ signal } = {}) => {
    signal?.throwIfAborted();
    if (done !== undefined) return done.value;
    current ??= begin();
    const attempt = current;
    attempt.waiting += 1;
    if (signal === undefined) return attempt.result;
    const left = Promise.withResolvers<never>();
    const stop = () => void leave(attempt, signal.reason).then(() => left.reject(signal.reason));
    signal.addEventListener("abort", stop, { once: true });
    try {
      return await Promise.race([attempt.result, left.promise]);
    } catch (error) {
      throw signal.aborted ? signal.reason : error;
    } finally {
      signal.removeEventListener("abort", stop);
    }
  };
}
