import type { Clock } from "./clock.ts";
import type { OwnEvent, PipelineEvent } from "./event.ts";
import { PlanRun } from "./internal/plan-run.ts";
import type { AnyKey, ValuesOf } from "./key.ts";
import type { PlanMetrics } from "./metrics.ts";
import { dynamicPlan, type Plan } from "./plan.ts";
import type { OutputsOf, Task } from "./task.ts";
import type { IdSource, TraceContext } from "./trace.ts";

/** What every run takes besides its inputs. */
export interface RunSettings<Own extends OwnEvent> {
  /** Stops the run: tasks are told, clean-ups run, the run fails. */
  readonly signal?: AbortSignal;
  /** Hears every event, in order. What it throws is kept in the result and stops nothing. */
  readonly onEvent?: (event: PipelineEvent<Own>) => void;
  /** Where the run's spans hang; a new trace by default. */
  readonly trace?: TraceContext;
  /** Where time comes from; the machine's clock by default. */
  readonly clock?: Clock;
  /** Where ids come from; random by default. */
  readonly ids?: IdSource;
}

/** The part of the options that holds the inputs; they may be left out when the plan has none, or is dynamic. */
export type InputsOption<Inputs extends AnyKey> = [Inputs] extends [never]
  ? { readonly inputs?: Readonly<Record<string, never>> }
  : string extends Inputs["name"]
    ? { readonly inputs?: Readonly<Record<string, unknown>> }
    : { readonly inputs: ValuesOf<Inputs> };

/** Options of {@link runPlan} and {@link settlePlan}. */
export type RunPlanOptions<Inputs extends AnyKey, Own extends OwnEvent> = RunSettings<Own> &
  InputsOption<Inputs>;

/** Lets options be left out where nothing in them is required. */
export type RunPlanArguments<Inputs extends AnyKey, Own extends OwnEvent> =
  Record<never, never> extends InputsOption<Inputs>
    ? [options?: RunPlanOptions<Inputs, Own>]
    : [options: RunPlanOptions<Inputs, Own>];

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
  /** All errors of tasks, in declaration order; errors thrown by tasks that were being stopped are marked. */
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

/** Runs a plan to its end, clean-ups included, and tells how it ended. Never rejects because of a task. */
export async function settlePlan<
  Inputs extends AnyKey,
  Values extends AnyKey,
  Own extends OwnEvent,
>(
  plan: Plan<Inputs, Values, Own>,
  ...[options]: RunPlanArguments<Inputs, Own>
): Promise<PlanResult<Values>> {
  // The listener is only called with events of this plan's tasks, so its parameter is wide enough.
  const settings = (options ?? {}) as RunSettings<OwnEvent> & {
    readonly inputs?: Readonly<Record<string, unknown>>;
  };
  const result = await new PlanRun(plan, settings.inputs ?? {}, settings).settle();
  return result as PlanResult<Values>;
}

/**
 * Runs a plan to its end, clean-ups included.
 *
 * @throws The leading error, unchanged; see {@link PlanFailure.error}. {@link settlePlan} gives the others too.
 */
export async function runPlan<Inputs extends AnyKey, Values extends AnyKey, Own extends OwnEvent>(
  plan: Plan<Inputs, Values, Own>,
  ...options: RunPlanArguments<Inputs, Own>
): Promise<PlanSuccess<Values>> {
  const result = await settlePlan(plan, ...options);
  if (!result.ok) throw result.error;
  return result;
}

/**
 * Runs one task by itself.
 *
 * @throws PipelineError `PIPELINE_MISSING_INPUT` when a caller that the compiler did not check leaves an input out.
 */
export async function runTask<
  Needs extends AnyKey,
  Provides extends AnyKey,
  Own extends OwnEvent = never,
>(
  task: Task<Needs, Provides, Own>,
  inputs: ValuesOf<Needs>,
  settings: RunSettings<Own> = {},
): Promise<OutputsOf<Provides>> {
  const plan = dynamicPlan({ name: task.name, stages: [[task as Task]] });
  const run = new PlanRun(
    plan,
    inputs as Readonly<Record<string, unknown>>,
    settings as RunSettings<OwnEvent>,
  );
  const result = await run.settle();
  if (!result.ok) throw result.error;
  return Object.fromEntries(
    task.provides.map(({ name }) => [name, (result.values as Record<string, unknown>)[name]]),
  ) as OutputsOf<Provides>;
}
