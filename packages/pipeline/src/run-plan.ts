import type { OwnEvent } from "./event.ts";
import { PlanRun } from "./internal/plan-run.ts";
import type { AnyKey, ValuesOf } from "./key.ts";
import { dynamicPlan, type Plan } from "./plan.ts";
import type { PlanResult, PlanSuccess } from "./plan-result.ts";
import type { RunPlanArguments, RunSettings } from "./run-settings.ts";
import type { OutputsOf, Task } from "./task.ts";

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
