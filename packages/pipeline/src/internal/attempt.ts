import { kindOf } from "@box/errors";
import type { Clock } from "../clock.ts";
import { PipelineError } from "../errors.ts";

/** One attempt's limits. */
export interface AttemptOptions {
  readonly task: string;
  readonly clock: Clock;
  /** Aborts when the attempt is no longer wanted. */
  readonly signal: AbortSignal;
  readonly timeoutMs: number | undefined;
  readonly graceMs: number;
}

/**
 * Runs `work` with a signal of its own, and stops waiting for it a grace after that signal aborted.
 *
 * A time-out fails the attempt even when the work still finishes within the grace.
 */
export async function runAttempt<Result>(
  work: (signal: AbortSignal) => Result | Promise<Result>,
  options: AttemptOptions,
): Promise<Result> {
  const { clock, signal, timeoutMs, graceMs } = options;
  const own = new AbortController();
  const forward = () => own.abort(signal.reason);
  signal.addEventListener("abort", forward, { once: true });
  const timeout = timeoutMs === undefined ? undefined : timeoutOf(options.task, timeoutMs);
  const stopTimer =
    timeoutMs === undefined ? undefined : clock.after(timeoutMs, () => own.abort(timeout));
  const given = giveUpAfter(own.signal, clock, graceMs);
  try {
    const running = (async () => work(own.signal))();
    const result = await Promise.race([running, given.up]);
    if (own.signal.aborted && own.signal.reason === timeout) throw timeout;
    return result;
  } catch (error) {
    if (own.signal.aborted && own.signal.reason === timeout && error !== timeout) {
      throw timeoutOf(options.task, timeoutMs ?? 0, error);
    }
    throw error;
  } finally {
    stopTimer?.();
    given.stop();
    signal.removeEventListener("abort", forward);
  }
}

/** Whether an error only says that the work was told to stop. */
export function isAbort(error: unknown, signal: AbortSignal): boolean {
  return signal.aborted && (error === signal.reason || kindOf(error) === "aborted");
}

function giveUpAfter(signal: AbortSignal, clock: Clock, graceMs: number) {
  let stopTimer: (() => void) | undefined;
  const { promise: up, reject } = Promise.withResolvers<never>();
  const begin = () => {
    stopTimer = clock.after(graceMs, () => reject(signal.reason));
  };
  signal.addEventListener("abort", begin, { once: true });
  return {
    up,
    stop: () => {
      signal.removeEventListener("abort", begin);
      stopTimer?.();
    },
  };
}

function timeoutOf(task: string, timeoutMs: number, cause?: unknown): PipelineError {
  return new PipelineError({
    code: "PIPELINE_TASK_TIMEOUT",
    message: `task ${task} took longer than ${timeoutMs} ms`,
    details: { task, timeoutMs },
    ...(cause === undefined ? {} : { cause }),
  });
}
