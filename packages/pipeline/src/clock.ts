/** Where a run takes its time from; tests give their own. */
export interface Clock {
  /** Milliseconds since 1970, for the time stamps of events. May jump. */
  now(): number;
  /** Milliseconds since any fixed moment, for durations. Never goes back. */
  monotonicMs(): number;
  /** Calls back once after `delayMs`; the result takes the call back. */
  after(delayMs: number, call: () => void): () => void;
}

/** The machine's clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  after: (delayMs, call) => {
    const timer = setTimeout(call, delayMs);
    return () => clearTimeout(timer);
  },
};
