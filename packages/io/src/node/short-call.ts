/** Longest time in milliseconds that short calls may follow each other without anything else having a turn. */
const longestMs = 10;

let turnBeganMs: number | undefined;

/**
 * Does a system call that takes next to no time, on the calling thread.
 *
 * Where such calls have followed each other for a while, timers, signals and whoever else waits have a turn first.
 */
export async function shortCall<T>(work: () => T): Promise<T> {
  const nowMs = process.uptime() * 1000;
  if (turnBeganMs === undefined) {
    turnBeganMs = nowMs;
    setImmediate(endTurn).unref();
  } else if (nowMs - turnBeganMs > longestMs) {
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  return work();
}

function endTurn(): void {
  turnBeganMs = undefined;
}
