import {
  defineGraph,
  definePlan,
  defineTask,
  describe as describePlan,
  dynamicPlan,
  type Key,
  key,
  type Task,
  toMermaid,
} from "@box/pipeline";
import { describe, expect, test } from "vitest";

const a: Key<"a", number> = key("a");
const b: Key<"b", number> = key("b");
const makeA = defineTask({ name: "make_a", provides: [a], run: () => ({ a: 1 }) });
const bFromA = defineTask({
  name: "b_from_a",
  label: "b",
  needs: [a],
  provides: [b],
  timeoutMs: 1000,
  retry: { attempts: 3 },
  run: () => ({ b: 1 }),
});
const aFromB = defineTask({ name: "a_from_b", needs: [b], provides: [a], run: () => ({ a: 1 }) });

describe("a plan is refused", () => {
  test("when tasks wait for each other", () => {
    expect(() => defineGraph({ name: "g", tasks: [bFromA, aFromB] })).toThrow(
      expect.objectContaining({
        code: "PIPELINE_INVALID_PLAN",
        message: "plan g has tasks that wait for each other: b_from_a, a_from_b",
      }),
    );
  });

  test("when a task waits for itself", () => {
    const own = defineTask({ name: "own", needs: [a], provides: [a], run: () => ({ a: 1 }) });
    expect(() => defineGraph({ name: "g", tasks: [own] })).toThrow("wait for each other: own");
  });

  test("when two tasks have one name", () => {
    expect(() => definePlan({ name: "p" }).stage([makeA]).stage([makeA])).toThrow(
      "plan p has two tasks named make_a",
    );
  });

  test("when a value comes from two places", () => {
    const again = defineTask({ name: "again", provides: [a], run: () => ({ a: 2 }) });
    expect(() => definePlan({ name: "p" }).stage([makeA, again])).toThrow(
      "plan p gets a from both task make_a and task again",
    );
    expect(() => definePlan({ name: "p", inputs: [a] }).stage([makeA])).toThrow(
      "plan p gets a from both its inputs and task make_a",
    );
  });
});

test("adding a stage leaves the plan it was added to as it was", () => {
  const first = definePlan({ name: "p" }).stage([makeA]);
  first.stage([bFromA]);
  expect(first.nodes).toHaveLength(1);
});

describe("a description", () => {
  const plan = definePlan({ name: "p", concurrency: 2 }).stage([makeA]).stage([bFromA]);

  test("gives the graph as data", () => {
    const description = describePlan(plan);
    expect(description).toEqual({
      name: "p",
      inputs: [],
      concurrency: 2,
      tasks: [
        { name: "make_a", label: "make_a", stage: 0, needs: [], provides: ["a"], after: [] },
        {
          name: "b_from_a",
          label: "b",
          stage: 1,
          needs: ["a"],
          provides: ["b"],
          after: ["make_a"],
          timeoutMs: 1000,
          attempts: 3,
        },
      ],
    });
    expect(JSON.parse(JSON.stringify(description))).toEqual(description);
  });

  test("gives a graph's stages by the longest chain before each task", () => {
    const graph = describePlan(defineGraph({ name: "g", tasks: [bFromA, makeA] }));
    expect(graph.tasks.map(({ name, stage }) => [name, stage])).toEqual([
      ["b_from_a", 1],
      ["make_a", 0],
    ]);
  });

  test("names the inputs", () => {
    expect(describePlan(definePlan({ name: "p", inputs: [a] })).inputs).toEqual(["a"]);
    expect(describePlan(dynamicPlan({ name: "p", inputs: [b], stages: [] })).inputs).toEqual(["b"]);
  });

  test("draws a Mermaid chart whose arrows name the values", () => {
    expect(toMermaid(describePlan(plan))).toBe(
      'flowchart LR\n  t0["make_a"]\n  t1["b_from_a"]\n  t0 -->|"a"| t1\n',
    );
  });

  test("draws an arrow without a name where nothing is handed over, and escapes names", () => {
    const odd: Task = defineTask({ name: 'say "hi"]', run: () => undefined }) as Task;
    const chart = toMermaid(
      describePlan(dynamicPlan({ name: "p", stages: [[makeA as Task], [odd]] })),
    );
    expect(chart).toContain('t1["say #34;hi#34;#93;"]');
    expect(chart).toContain("  t0 --> t1\n");
  });
});
