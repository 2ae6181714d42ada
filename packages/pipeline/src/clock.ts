/** Where a run takes its time from; tests give their own. */
export interface Clock {
  /** Milliseconds since 1970, for the time stamps of events. May jump. */
  now(): number;
  /** Milliseconds since any fixed moment, for durations. Never goes back. */
  monotonicMs(): number;
  /** Calls back once after `delayMs`, however long, never when it is infinite; the result takes the call back. */
  after(delayMs: number, call: () => void): () => void;
}

/** The longest time that a timer of the host takes. */
const maxTimerMs = 2 ** 31 - 1;

/** The machine's clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  after: (delayMs, call) => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const wait = (leftMs: number) => {
      // Those that are longer end at once.
      const partMs = Math.min(leftMs, maxTimerMs);
      timer = setTimeout(() => (leftMs > partMs ? wait(leftMs - partMs) : call()), partMs);
    };
    if (delayMs !== Number.POSITIVE_INFINITY) wait(delayMs);
    return () => clearTimeout(timer);
  },
};

/** What sleeping needs of a clock. */
type Timer = Pick<Clock, "after">;

/** Waits for `delayMs`, or until the signal aborts; nothing is left on the signal then. */
export async function pause(
  clock: Timer,
  delayMs: number,
  signal?: AbortSignal | undefined,
): Promise<void> {
  if (signal?.aborted) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const wake = () => resolve();
  const cancel = clock.after(delayMs, wake);
  signal?.addEventListener("abort", wake);
  await promise;
  signal?.removeEventListener("abort", wake);
  cancel();
}
