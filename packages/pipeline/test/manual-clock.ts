import type { Clock, IdSource } from "@box/pipeline";

/** A clock that stands still until the test moves it; calls back in order of their times. */
export class ManualClock implements Clock {
  #nowMs: number;
  #timers: { readonly atMs: number; readonly call: () => void }[] = [];

  constructor(nowMs = 1_000_000) {
    this.#nowMs = nowMs;
  }

  /** How many calls are still to come. */
  get pending(): number {
    return this.#timers.length;
  }

  now(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, call: () => void): () => void {
    const timer = { atMs: this.#nowMs + delayMs, call };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  /** Moves the time on and lets everything that follows settle. */
  async advance(ms: number): Promise<void> {
    await settleMicrotasks();
    this.#nowMs += ms;
    const due = this.#timers.filter(({ atMs }) => atMs <= this.#nowMs);
    this.#timers = this.#timers.filter((timer) => !due.includes(timer));
    for (const { call } of due.sort((a, b) => a.atMs - b.atMs)) call();
    await settleMicrotasks();
  }
}

/** Lets promises that are already decided run on. */
export async function settleMicrotasks(): Promise<void> {
  for (let round = 0; round < 50; round += 1) await Promise.resolve();
}

/** Ids that count up. */
export function countingIds(): IdSource {
  let count = 0;
  const next = (digits: number) => {
    count += 1;
    return count.toString(16).padStart(digits, "0");
  };
  return { traceId: () => next(32), spanId: () => next(16) };
}
