import { PipelineError } from "../errors.ts";
import type { AnyKey } from "../key.ts";
import type { Task } from "../task.ts";

/** A task at its place in a plan. */
export interface PlanNode {
  /** The task. */
  readonly task: Task;
  /** The stage it is in, 0 for the first; in a graph, the length of the longest chain before it. */
  readonly stage: number;
  /** Positions in the plan of the tasks that must be done before. */
  readonly after: readonly number[];
  /** What its failure does to those that run beside it. */
  readonly onFailure: "cancel" | "await";
}

/** The nodes with one more stage, which waits for every task of the stage before. */
export function layOutStage(
  plan: string,
  inputs: readonly AnyKey[],
  nodes: readonly PlanNode[],
  { tasks, onFailure }: { tasks: readonly Task[]; onFailure: "cancel" | "await" },
): readonly PlanNode[] {
  const last = nodes.at(-1)?.stage ?? -1;
  const after = nodes.flatMap((node, index) => (node.stage === last ? [index] : []));
  const all = [...nodes, ...tasks.map((task) => ({ task, stage: last + 1, after, onFailure }))];
  findProviders(plan, inputs, all);
  return all;
}

/** The nodes of tasks that wait for exactly the tasks that provide what they need. */
export function layOutGraph(
  plan: string,
  inputs: readonly AnyKey[],
  tasks: readonly Task[],
  onFailure: "cancel" | "await",
): readonly PlanNode[] {
  const providers = findProviders(
    plan,
    inputs,
    tasks.map((task) => ({ task })),
  );
  const after = tasks.map((task) => [
    ...new Set(
      task.needs.flatMap(({ name }) => {
        const provider = providers.get(name);
        return provider === undefined || provider < 0 ? [] : [provider];
      }),
    ),
  ]);
  const stages = findStages(plan, tasks, after);
  return tasks.map((task, index) => ({
    task,
    stage: stages[index] ?? 0,
    after: after[index] ?? [],
    onFailure,
  }));
}

/** Who provides each value: a position, -1 for an input of the plan. */
function findProviders(
  plan: string,
  inputs: readonly AnyKey[],
  nodes: readonly { readonly task: Task }[],
): Map<string, number> {
  const providers = new Map<string, number>(inputs.map(({ name }) => [name, -1]));
  const names = new Set<string>();
  for (const [index, { task }] of nodes.entries()) {
    if (names.has(task.name)) throw invalid(plan, task, `has two tasks named ${task.name}`);
    names.add(task.name);
    for (const { name } of task.provides) {
      const other = providers.get(name);
      if (other !== undefined) {
        const first = other < 0 ? "its inputs" : `task ${nodes[other]?.task.name}`;
        throw invalid(plan, task, `gets ${name} from both ${first} and task ${task.name}`);
      }
      providers.set(name, index);
    }
  }
  return providers;
}

/** How long the longest chain before each task is; iterative, so that long chains are no danger. */
function findStages(
  plan: string,
  tasks: readonly Task[],
  after: readonly (readonly number[])[],
): number[] {
  const stages = tasks.map(() => 0);
  const open = after.map((list) => list.length);
  const next: number[][] = tasks.map(() => []);
  for (const [index, list] of after.entries()) for (const before of list) next[before]?.push(index);
  const queue = open.flatMap((count, index) => (count === 0 ? [index] : []));
  for (const index of queue) {
    for (const later of next[index] ?? []) {
      stages[later] = Math.max(stages[later] ?? 0, (stages[index] ?? 0) + 1);
      open[later] = (open[later] ?? 0) - 1;
      if (open[later] === 0) queue.push(later);
    }
  }
  const stuck = tasks.filter((_, index) => (open[index] ?? 0) > 0);
  const first = stuck[0];
  if (first !== undefined) {
    const names = stuck.map(({ name }) => name).join(", ");
    throw invalid(plan, first, `has tasks that wait for each other: ${names}`);
  }
  return stages;
}

function invalid(plan: string, task: Task, what: string): PipelineError {
  return new PipelineError({
    code: "PIPELINE_INVALID_PLAN",
    message: `plan ${plan} ${what}`,
    details: { plan, task: task.name },
  });
}
