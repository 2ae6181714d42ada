import type { PlanNode } from "./internal/layout.ts";

/** How one task ended. */
export type TaskOutcome = "finished" | "failed" | "cancelled" | "not-started";

/** One task's figures. */
export interface TaskMetrics {
  /** The task's name. */
  readonly task: string;
  /** How it ended. */
  readonly outcome: TaskOutcome;
  /** Whether it said that its work was saved. */
  readonly cached: boolean;
  /** Attempts made. */
  readonly attempts: number;
  /** When it began, counted from the run's start. */
  readonly startMs: number;
  /** How long it took, all attempts counted. */
  readonly durationMs: number;
}

/** A run's figures; there on failure too. */
export interface PlanMetrics {
  /** From the start to the last clean-up. */
  readonly durationMs: number;
  /** The part of it that the clean-ups took. */
  readonly cleanUpMs: number;
  /** Every task, in declaration order. */
  readonly tasks: readonly TaskMetrics[];
  /** The chain of tasks that the run could not have been faster than. */
  readonly criticalPath: { readonly tasks: readonly string[]; readonly durationMs: number };
}

/** Finds the chain of dependent tasks that took longest. */
export function findCriticalPath(
  nodes: readonly Pick<PlanNode, "after" | "stage">[],
  tasks: readonly TaskMetrics[],
): PlanMetrics["criticalPath"] {
  const order = nodes.map((_, index) => index);
  order.sort((a, b) => (nodes[a]?.stage ?? 0) - (nodes[b]?.stage ?? 0));
  const total: number[] = [];
  const before: (number | undefined)[] = [];
  let last: number | undefined;
  for (const index of order) {
    const slowest = longest(nodes[index]?.after ?? [], total);
    before[index] = slowest;
    total[index] = (slowest === undefined ? 0 : (total[slowest] ?? 0)) + durationAt(tasks, index);
    if (last === undefined || total[index] > (total[last] ?? 0)) last = index;
  }
  const durationMs = last === undefined ? 0 : (total[last] ?? 0);
  const path: string[] = [];
  for (let index = last; index !== undefined; index = before[index]) {
    const task = tasks[index];
    if (task !== undefined && task.outcome !== "not-started") path.unshift(task.task);
  }
  return { tasks: path, durationMs };
}

function longest(indexes: readonly number[], total: readonly number[]): number | undefined {
  let found: number | undefined;
  for (const index of indexes) {
    if (found === undefined || (total[index] ?? 0) > (total[found] ?? 0)) found = index;
  }
  return found;
}

function durationAt(tasks: readonly TaskMetrics[], index: number): number {
  return tasks[index]?.durationMs ?? 0;
}
