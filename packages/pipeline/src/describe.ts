import type { OwnEvent } from "./event.ts";
import type { AnyKey } from "./key.ts";
import type { Plan } from "./plan.ts";

/** A task of a {@link PlanDescription}. */
export interface TaskDescription {
  /** The task's name. */
  readonly name: string;
  /** Its short name in messages. */
  readonly label: string;
  /** The stage it is in, from 0. */
  readonly stage: number;
  /** The names of the values it reads. */
  readonly needs: readonly string[];
  /** The names of the values it makes. */
  readonly provides: readonly string[];
  /** The names of the tasks that come before it. */
  readonly after: readonly string[];
  /** The limit of each attempt, when it has one. */
  readonly timeoutMs?: number;
  /** Attempts in all, when more than one. */
  readonly attempts?: number;
}

/** A plan as plain data. */
export interface PlanDescription {
  /** The plan's name. */
  readonly name: string;
  /** The names of the values it must be given. */
  readonly inputs: readonly string[];
  /** How many tasks run at once. */
  readonly concurrency: number;
  /** The tasks in declaration order. */
  readonly tasks: readonly TaskDescription[];
}

/** Gives a plan as plain data, for documents and tools. */
export function describe<Inputs extends AnyKey, Values extends AnyKey, Own extends OwnEvent>(
  plan: Plan<Inputs, Values, Own>,
): PlanDescription {
  return {
    name: plan.name,
    inputs: plan.inputs.map(({ name }) => name),
    concurrency: plan.concurrency,
    tasks: plan.nodes.map(({ task, stage, after }) => ({
      name: task.name,
      label: task.label,
      stage,
      needs: task.needs.map(({ name }) => name),
      provides: task.provides.map(({ name }) => name),
      after: after.flatMap((index) => plan.nodes[index]?.task.name ?? []),
      ...(task.timeoutMs === undefined ? {} : { timeoutMs: task.timeoutMs }),
      ...((task.retry?.attempts ?? 1) > 1 ? { attempts: task.retry?.attempts ?? 1 } : {}),
    })),
  };
}

/** Draws a described plan as a Mermaid flow chart; an arrow names the values that its task takes over. */
export function toMermaid(description: PlanDescription): string {
  const { tasks } = description;
  const lines = ["flowchart LR"];
  for (const [index, task] of tasks.entries())
    lines.push(`  t${index}["${escapeText(task.name)}"]`);
  for (const [index, task] of tasks.entries()) {
    for (const name of task.after) {
      const before = tasks.findIndex((other) => other.name === name);
      const handed = task.needs.filter((need) => tasks[before]?.provides.includes(need));
      const label = handed.length > 0 ? `|"${escapeText(handed.join(", "))}"|` : "";
      lines.push(`  t${before} -->${label} t${index}`);
    }
  }
  return `${lines.join("\n")}\n`;
}

/** Mermaid reads character entities written with a number sign. */
function escapeText(text: string): string {
  return text.replace(/[^\p{L}\p{N} ,._:/-]/gu, (symbol) => `#${symbol.codePointAt(0) ?? 0};`);
}
