import { setTimeout as delay } from "node:timers/promises";
import { OrasError } from "../errors.ts";

/** Time and chance, so that tests decide both. */
export interface Pacing {
  /** Milliseconds since the epoch. */
  now(): number;
  /** A number from 0 up to, not including, 1. */
  random(): number;
  /** Resolves after a time; rejects with the signal's reason when it aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** The system's time and chance. */
export const systemPacing: Pacing = {
  now: () => Date.now(),
  random: () => Math.random(),
  sleep: async (ms, signal) => {
    await delay(ms, undefined, signal === undefined ? {} : { signal });
  },
};

/** How often and how long failures are tried again. */
export interface RetryLimits {
  /** Tries without progress, the first included. */
  readonly attempts: number;
  /** The first wait is a random part of this. */
  readonly baseMs: number;
  /** No wait is longer, unless the registry asks for it. */
  readonly capMs: number;
  /** The longest wait that a registry may ask for. */
  readonly maxRetryAfterMs: number;
  /**
   * After so much time spent waiting between tries without progress there is no further one. What a registry asks for because
   * it limits rates does not count.
   */
  readonly budgetMs: number;
}

/** The default limits. */
export const defaultRetryLimits: RetryLimits = {
  attempts: 6,
  baseMs: 250,
  capMs: 20_000,
  maxRetryAfterMs: 120_000,
  budgetMs: 60_000,
};

/** Counts tries of one piece of work and waits between them. */
export class RetryCounter {
  readonly #limits: RetryLimits;
  readonly #pacing: Pacing;
  #failures = 0;
  #waitedMs = 0;

  constructor(limits: RetryLimits, pacing: Pacing) {
    this.#limits = limits;
    this.#pacing = pacing;
  }

  /** Tries so far. */
  get failures(): number {
    return this.#failures;
  }

  /** Starts over, because something has moved. */
  reset(): void {
    this.#failures = 0;
    this.#waitedMs = 0;
  }

  /**
   * Waits before the next try, or throws the failure when there is none left.
   *
   * @param failure - What the last try threw; it is thrown again when it may not be retried.
   * @param retryAfterMs - What the registry asked for.
   * @param onRetry - Told before the wait, when there is another try.
   */
  async next(
    failure: OrasError,
    retryAfterMs?: number,
    signal?: AbortSignal,
    onRetry?: () => void,
  ): Promise<void> {
    this.#failures++;
    if (!failure.retryable || this.#failures >= this.#limits.attempts) throw failure;
    if (retryAfterMs !== undefined && retryAfterMs > this.#limits.maxRetryAfterMs) throw failure;
    const jitterMs = this.#pacing.random() * this.#backoffMs();
    const waitMs = Math.max(retryAfterMs ?? 0, jitterMs);
    if (this.#waitedMs + jitterMs > this.#limits.budgetMs) throw failure;
    this.#waitedMs += failure.code === "ORAS_RATE_LIMITED" ? jitterMs : waitMs;
    onRetry?.();
    await sleepOrAbort(this.#pacing, waitMs, signal);
  }

  #backoffMs(): number {
    return Math.min(this.#limits.capMs, this.#limits.baseMs * 2 ** (this.#failures - 1));
  }
}

/**
 * Reads a `Retry-After` header: seconds or an HTTP date. A date in the past and anything else is no wish.
 *
 * @returns Milliseconds from now, more than 0.
 */
export function parseRetryAfter(header: string | undefined, nowMs: number): number | undefined {
  if (header === undefined) return undefined;
  const text = header.trim();
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - nowMs;
  return ms > 0 ? Math.min(ms, Number.MAX_SAFE_INTEGER) : undefined;
}

/** Throws `ORAS_ABORTED` when the signal has aborted. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw aborted(signal);
}

/** The error of an operation that its caller stopped. */
export function aborted(signal: AbortSignal | undefined): OrasError {
  return new OrasError({
    code: "ORAS_ABORTED",
    message: "the operation was stopped",
    cause: signal?.reason,
  });
}

/** Waits; `ORAS_ABORTED` when the signal aborts meanwhile. */
export async function sleepOrAbort(
  pacing: Pacing,
  ms: number,
  signal?: AbortSignal,
): Promise<void> {
  try {
    await pacing.sleep(ms, signal);
  } catch (error) {
    throwIfAborted(signal);
    throw error;
  }
}
