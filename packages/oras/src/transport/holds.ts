import { aborted, type Pacing, parseRetryAfter, type RetryLimits, sleepOrAbort } from "./pacing.ts";
import type { RegistryResponse } from "./response.ts";

const statuses: ReadonlySet<number> = new Set([429, 503]);

/** Which hosts have asked for patience. What one request is told holds for all to the same origin. */
export class Holds {
  readonly #limits: Pick<RetryLimits, "maxRetryAfterMs">;
  readonly #pacing: Pacing;
  readonly #untilMs: Map<string, number> = new Map();
  readonly #closing = new AbortController();

  constructor(limits: Pick<RetryLimits, "maxRetryAfterMs">, pacing: Pacing) {
    this.#limits = limits;
    this.#pacing = pacing;
  }

  /** Takes note of what a reply asks for. More than the limit is no reason to wait: such requests fail at once. */
  note({ status, url, header }: RegistryResponse): void {
    if (!statuses.has(status)) return;
    const now = this.#pacing.now();
    const waitMs = parseRetryAfter(header("retry-after"), now) ?? 0;
    if (waitMs === 0 || waitMs > this.#limits.maxRetryAfterMs) return;
    const known = this.#untilMs.get(url.origin) ?? 0;
    this.#untilMs.set(url.origin, Math.max(known, now + waitMs));
  }

  /**
   * Waits until a host may be asked, but no longer than a registry may ask one request to wait.
   *
   * @throws {@link OrasError} `ORAS_ABORTED`, also when the client is closed.
   */
  async wait(origin: string, signal?: AbortSignal): Promise<void> {
    const latest = this.#pacing.now() + this.#limits.maxRetryAfterMs;
    for (;;) {
      const until = Math.min(this.#untilMs.get(origin) ?? 0, latest);
      const waitMs = until - this.#pacing.now();
      if (waitMs <= 0) return;
      await this.#sleep(waitMs, signal);
    }
  }

  /** Ends all waits. */
  close(): void {
    this.#closing.abort();
  }

  async #sleep(ms: number, signal?: AbortSignal): Promise<void> {
    const closing = this.#closing.signal;
    const either = signal === undefined ? closing : AbortSignal.any([signal, closing]);
    await sleepOrAbort(this.#pacing, ms, either);
    if (either.aborted) throw aborted(either);
  }
}
