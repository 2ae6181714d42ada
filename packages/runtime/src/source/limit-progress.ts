import type { Clock, ProgressEvent } from "@box/pipeline";
import type { Reporter } from "./image-source.ts";

const intervalMs = 100;

/** Lets at most ten progress events a second through for each item; always the one that says it is done. */
export function limitProgress(reporter: Reporter, clock: Clock): Reporter {
  const toldMs = new Map<string, number>();
  const progress = (event: Omit<ProgressEvent, "type">) => {
    const item = event.item ?? "";
    const nowMs = clock.monotonicMs();
    const last = toldMs.get(item);
    const isLast = event.total !== undefined && event.done >= event.total;
    if (!isLast && last !== undefined && nowMs - last < intervalMs) return;
    toldMs.set(item, nowMs);
    reporter.progress(event);
  };
  return {
    signal: reporter.signal,
    progress,
    info: (message, details) => reporter.info(message, details),
    warn: (event) => reporter.warn(event),
    cached: (message, details) => reporter.cached(message, details),
  };
}
