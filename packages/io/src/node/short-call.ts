/** Longest time in milliseconds that short calls may follow each other without anything else having a turn. */
const longestMs = 10;

/** When the turn began that is under way, and what ends it. */
let turn: { readonly beganMs: number; readonly end: NodeJS.Immediate } | undefined;
/** Calls that wait for the next turn, in order. */
let waiting: (() => void)[] = [];

/**
 * Does a system call that takes next to no time, on the calling thread.
 *
 * Where such calls have followed each other for a while, timers, signals and whoever else waits have a turn first.
 */
export async function shortCall<T>(work: () => T): Promise<T> {
  turn ??= beginTurn();
  if (waiting.length === 0 && nowMs() - turn.beganMs <= longestMs) return work();
  // The process must not end before.
  turn.end.ref();
  return new Promise((resolve, reject) => {
    waiting.push(() => {
      try {
        resolve(work());
      } catch (error) {
        reject(error);
      }
    });
  });
}

function beginTurn(): NonNullable<typeof turn> {
  return { beganMs: nowMs(), end: setImmediate(endTurn).unref() };
}

/** Does what has waited, for as long as a turn lasts; the rest waits for the next one. */
function endTurn(): void {
  turn = undefined;
  if (waiting.length === 0) return;
  turn = beginTurn();
  const { beganMs, end } = turn;
  const last = waiting.findIndex((call) => {
    call();
    return nowMs() - beganMs > longestMs;
  });
  waiting = last < 0 ? [] : waiting.slice(last + 1);
  if (waiting.length > 0) end.ref();
}

function nowMs(): number {
  return process.uptime() * 1000;
}
