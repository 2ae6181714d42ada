import {
  defineGraph,
  defineTask,
  dynamicPlan,
  type EventStamp,
  key,
  settlePlan,
  type Task,
} from "@box/pipeline";
import fc from "fast-check";
import { expect, test } from "vitest";
import { settleMicrotasks } from "./manual-clock.ts";

/** Tasks by number; each needs the values of some tasks before it. */
const graphs = fc
  .array(fc.array(fc.nat(), { maxLength: 4 }), { minLength: 1, maxLength: 20 })
  .map((rows) =>
    rows.map((row, index) => [
      ...new Set(row.flatMap((pick) => (index === 0 ? [] : [pick % index]))),
    ]),
  );

interface Log {
  readonly ended: Set<number>;
  readonly cleaned: number[];
  readonly faults: string[];
  running: number;
  most: number;
}

function tasksOf(graph: readonly (readonly number[])[], failing: ReadonlySet<number>, log: Log) {
  return graph.map((needs, index) =>
    defineTask({
      name: `t${index}`,
      needs: needs.map((need) => key(`v${need}`)),
      provides: [key(`v${index}`)],
      run: async (_, { defer }) => {
        log.running += 1;
        log.most = Math.max(log.most, log.running);
        for (const need of needs)
          if (!log.ended.has(need)) log.faults.push(`${index} before ${need}`);
        defer(() => {
          log.cleaned.push(index);
        });
        for (let round = 0; round <= index % 3; round += 1) await settleMicrotasks();
        log.running -= 1;
        if (failing.has(index)) throw new Error(`t${index}`);
        log.ended.add(index);
        return { [`v${index}`]: index };
      },
    }),
  ) as unknown as readonly Task[];
}

test("any graph runs each task after those it needs, within the limit, and cleans up what began", async () => {
  const inputs = fc.tuple(
    graphs,
    fc.uniqueArray(fc.nat(19), { maxLength: 3 }),
    fc.integer({ min: 1, max: 5 }),
    fc.constantFrom("cancel" as const, "await" as const),
  );
  await fc.assert(
    fc.asyncProperty(inputs, async ([graph, fails, concurrency, onFailure]) => {
      const failing = new Set(fails.filter((index) => index < graph.length));
      const log: Log = { ended: new Set(), cleaned: [], faults: [], running: 0, most: 0 };
      const tasks = tasksOf(graph, failing, log) as unknown as readonly [Task, ...Task[]];
      const plan = defineGraph({ name: "g", tasks: tasks as never, concurrency, onFailure });
      const sequences: number[] = [];
      const result = await settlePlan(plan, {
        onEvent: ({ sequence }: EventStamp) => sequences.push(sequence),
      } as never);
      expect(log.faults).toEqual([]);
      expect(log.most).toBeLessThanOrEqual(concurrency);
      expect(sequences).toEqual(sequences.map((_, index) => index + 1));
      const began = result.metrics.tasks.filter(({ outcome }) => outcome !== "not-started");
      expect(log.cleaned).toHaveLength(began.length);
      expect(result.ok).toBe(began.every(({ outcome }) => outcome === "finished"));
      if (result.ok) {
        expect(log.ended.size).toBe(graph.length);
        return;
      }
      const own = result.failures.filter(({ whileStopping }) => !whileStopping);
      expect(result.error).toBe(own[0]?.error);
      const order = own.map(({ task }) => Number(task.slice(1)));
      expect(order).toEqual(order.toSorted((a, b) => a - b));
    }),
    { numRuns: 200 },
  );
});

test("the critical path is a chain of the graph and takes no longer than the run", async () => {
  await fc.assert(
    fc.asyncProperty(graphs, async (graph) => {
      const log: Log = { ended: new Set(), cleaned: [], faults: [], running: 0, most: 0 };
      const tasks = tasksOf(graph, new Set(), log) as unknown as readonly [Task, ...Task[]];
      const plan = defineGraph({ name: "g", tasks: tasks as never, concurrency: 100 });
      const { metrics } = await settlePlan(plan, {} as never);
      const path = metrics.criticalPath.tasks.map((name) => Number(name.slice(1)));
      for (const [place, index] of path.entries()) {
        if (place > 0) expect(graph[index]).toContain(path[place - 1]);
      }
      expect(metrics.criticalPath.durationMs).toBeLessThanOrEqual(metrics.durationMs + 1);
    }),
    { numRuns: 50 },
  );
});

test("any order of stages fails exactly when an input is not there in time", async () => {
  const orders = graphs.chain((graph) =>
    fc.tuple(
      fc.constant(graph),
      fc.shuffledSubarray(
        graph.map((_, index) => index),
        { minLength: 1 },
      ),
    ),
  );
  await fc.assert(
    fc.asyncProperty(orders, async ([graph, order]) => {
      const log: Log = { ended: new Set(), cleaned: [], faults: [], running: 0, most: 0 };
      const tasks = tasksOf(graph, new Set(), log);
      const stages = order.map((index) => tasks.slice(index, index + 1));
      const result = await settlePlan(dynamicPlan({ name: "d", stages }));
      const isInTime = order.every((index, place) =>
        graph[index]?.every((need) => order.slice(0, place).includes(need)),
      );
      expect(result.ok).toBe(isInTime);
      if (!result.ok) expect(result.error).toMatchObject({ code: "PIPELINE_MISSING_INPUT" });
    }),
    { numRuns: 100 },
  );
});
