import type { PlanNode } from "./layout.ts";

/** How the tasks of a plan are carried out. */
export interface ScheduleOptions {
  /** How many run at once. */
  readonly concurrency: number;
  /** Whether tasks may still be started. */
  mayStart(): boolean;
  /** Runs one; never rejects. The result says whether those after it may run. */
  run(index: number): Promise<boolean>;
}

/** Runs each task as soon as those before it are done, in declaration order; resolves when nothing runs any more. */
export async function schedule(
  nodes: readonly PlanNode[],
  options: ScheduleOptions,
): Promise<void> {
  const open = nodes.map((node) => node.after.length);
  const next: number[][] = nodes.map(() => []);
  for (const [index, node] of nodes.entries()) {
    for (const before of node.after) next[before]?.push(index);
  }
  const ready = open.flatMap((count, index) => (count === 0 ? [index] : []));
  const idle = Promise.withResolvers<void>();
  let running = 0;
  const finish = (index: number, ok: boolean) => {
    running -= 1;
    if (ok) {
      for (const later of next[index] ?? []) {
        open[later] = (open[later] ?? 0) - 1;
        if (open[later] === 0) insertSorted(ready, later);
      }
    }
    startReady();
  };
  const startReady = () => {
    while (options.mayStart() && running < Math.max(1, options.concurrency)) {
      const index = ready.shift();
      if (index === undefined) break;
      running += 1;
      void options.run(index).then((ok) => finish(index, ok));
    }
    if (running === 0) idle.resolve();
  };
  startReady();
  await idle.promise;
}

function insertSorted(list: number[], value: number): void {
  list.splice(list.findLastIndex((other) => other < value) + 1, 0, value);
}
