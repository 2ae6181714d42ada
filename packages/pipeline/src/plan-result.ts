import type { AnyKey, ValuesOf } from "./key.ts";
import type { PlanMetrics } from "./metrics.ts";

/** A run in which every task and every clean-up succeeded. */
export interface PlanSuccess<Values extends AnyKey> {
  readonly ok: true;
  /** The inputs and everything that was provided. */
  readonly values: ValuesOf<Values>;
  /** The run's figures. */
  readonly metrics: PlanMetrics;
  /** What the listener threw. */
  readonly listenerErrors: readonly unknown[];
}

/** A run in which something failed, or that was stopped. */
export interface PlanFailure {
  readonly ok: false;
  /**
   * The leading error: of the tasks that failed by themselves, the first in declaration order; else why the run was
   * stopped; else the first clean-up that failed.
   */
  readonly error: unknown;
  /**
   * All errors of tasks, in declaration order; errors thrown by tasks that were being stopped are marked. What a retry policy
   * threw stands behind the error that it was asked about.
   */
  readonly failures: readonly TaskFailure[];
  /** What clean-ups threw, in the order they ran. */
  readonly cleanUpErrors: readonly unknown[];
  /** The values that were there when the run ended. */
  readonly values: Readonly<Record<string, unknown>>;
  /** The run's figures. */
  readonly metrics: PlanMetrics;
  /** What the listener threw. */
  readonly listenerErrors: readonly unknown[];
}

/** One task's error. */
export interface TaskFailure {
  /** The task's name. */
  readonly task: string;
  /** What it threw. */
  readonly error: unknown;
  /** Whether it was thrown after the task had been told to stop. */
  readonly whileStopping: boolean;
}

/** How a run ended. */
export type PlanResult<Values extends AnyKey> = PlanSuccess<Values> | PlanFailure;
