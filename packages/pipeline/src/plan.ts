import type { OwnEvent } from "./event.ts";
import { layOutGraph, layOutStage, type PlanNode } from "./internal/layout.ts";
import type { AnyKey } from "./key.ts";
import type { Task } from "./task.ts";
import type { InOrder, KeysOf, NeedsMet, OwnOf, TaskList } from "./task-order.ts";

/** Carries a plan's types; never present at run time. */
declare const planTypes: unique symbol;

/** What happens to the others when a task fails: they are told to stop, or those that run are waited for. */
export type OnFailure = "cancel" | "await";

/** Tasks in an order, ready to run any number of times. Holds no state of a run. */
export interface Plan<
  Inputs extends AnyKey = AnyKey,
  Values extends AnyKey = AnyKey,
  Own extends OwnEvent = OwnEvent,
> {
  /** Its name in events and descriptions. */
  readonly name: string;
  /** The values that {@link runPlan} must be given. */
  readonly inputs: readonly Inputs[];
  /** The tasks in declaration order, each with the tasks that come before it. */
  readonly nodes: readonly PlanNode[];
  /** How many tasks run at once. */
  readonly concurrency: number;
  /** Type only. */
  readonly [planTypes]?: { readonly values: Values; readonly own: Own };
}

/** What every way of making a plan takes. */
export interface PlanOptions<Inputs extends AnyKey> {
  /** Its name in events and descriptions. */
  readonly name: string;
  /** The values that the run is given from outside. */
  readonly inputs?: readonly Inputs[];
  /** How many tasks run at once; 8 by default. */
  readonly concurrency?: number;
  /** What happens to the others when a task fails; `cancel` by default. A stage can say otherwise. */
  readonly onFailure?: OnFailure;
}

/** Options of one stage. */
export interface StageOptions {
  /** What happens to the others of the stage when one fails; the plan's choice by default. */
  readonly onFailure?: OnFailure;
}

/** A plan of stages: each begins when the one before it is done, and the tasks of one run side by side. */
export interface StagedPlan<Inputs extends AnyKey, Values extends AnyKey, Own extends OwnEvent>
  extends Plan<Inputs, Values, Own> {
  /**
   * The plan with one more stage; this one stays as it is.
   *
   * Does not typecheck when a task needs a value that neither the inputs nor an earlier stage provide.
   *
   * @throws PipelineError `PIPELINE_INVALID_PLAN` when a task's name or a value is there twice.
   */
  stage<const Tasks extends TaskList>(
    tasks: Tasks & InOrder<Tasks, Values>,
    options?: StageOptions,
  ): StagedPlan<Inputs, Values | KeysOf<Tasks>, Own | OwnOf<Tasks>>;
}

const defaultConcurrency = 8;

/** Begins a plan of stages. Add them with {@link StagedPlan.stage}. */
export function definePlan<Inputs extends AnyKey = never>(
  options: PlanOptions<Inputs>,
): StagedPlan<Inputs, Inputs, never> {
  return staged(options, []);
}

/** What {@link defineGraph} takes. */
export interface GraphOptions<Inputs extends AnyKey, Tasks extends TaskList>
  extends PlanOptions<Inputs> {
  /** The tasks in any order; each begins as soon as what it needs is there. */
  readonly tasks: Tasks & NeedsMet<Tasks, Inputs>;
}

/**
 * A plan whose order comes from what the tasks need and provide.
 *
 * Does not typecheck when a task needs a value that nothing provides.
 *
 * @throws PipelineError `PIPELINE_INVALID_PLAN` when tasks wait for each other, or a name or a value is there twice.
 */
export function defineGraph<const Tasks extends TaskList, Inputs extends AnyKey = never>(
  options: GraphOptions<Inputs, Tasks>,
): Plan<Inputs, Inputs | KeysOf<Tasks>, OwnOf<Tasks>> {
  const { inputs = [], concurrency = defaultConcurrency, onFailure = "cancel" } = options;
  const tasks: readonly Task[] = options.tasks;
  const nodes = layOutGraph(options.name, inputs, tasks, onFailure);
  return { name: options.name, inputs, concurrency, nodes };
}

/** What {@link dynamicPlan} takes. */
export interface DynamicPlanOptions extends PlanOptions<AnyKey> {
  /** The stages, each a list of tasks that run side by side. */
  readonly stages: readonly (readonly Task[])[];
}

/**
 * A plan put together while the program runs, which the compiler cannot check.
 *
 * A task whose input is not there when its turn comes fails with `PIPELINE_MISSING_INPUT`, and the message names
 * the task that makes it: `filesystem task must run first`.
 *
 * @throws PipelineError `PIPELINE_INVALID_PLAN` when a name or a value is there twice.
 */
export function dynamicPlan(options: DynamicPlanOptions): Plan<AnyKey, AnyKey, OwnEvent> {
  let nodes: readonly PlanNode[] = [];
  for (const tasks of options.stages) {
    const stage = { tasks, onFailure: options.onFailure ?? "cancel" };
    nodes = layOutStage(options.name, options.inputs ?? [], nodes, stage);
  }
  return {
    name: options.name,
    inputs: options.inputs ?? [],
    concurrency: options.concurrency ?? defaultConcurrency,
    nodes,
  };
}

function staged<Inputs extends AnyKey, Values extends AnyKey, Own extends OwnEvent>(
  options: PlanOptions<Inputs>,
  nodes: readonly PlanNode[],
): StagedPlan<Inputs, Values, Own> {
  const { name, inputs = [], concurrency = defaultConcurrency } = options;
  return {
    name,
    inputs,
    concurrency,
    nodes,
    stage: (tasks, { onFailure = options.onFailure ?? "cancel" } = {}) =>
      staged(options, layOutStage(name, inputs, nodes, { tasks, onFailure })),
  };
}
