import {
  defineGraph,
  definePlan,
  defineTask,
  dynamicPlan,
  type Key,
  key,
  runPlan,
  runTask,
  settlePlan,
} from "@box/pipeline";
import { describe, expect, test } from "vitest";
import { settleMicrotasks } from "./manual-clock.ts";
import { failing, waiting } from "./tasks.ts";

const layout: Key<"layout", string> = key("layout", { from: "filesystem" });
const setup = defineTask({
  name: "filesystem_setup",
  label: "filesystem",
  provides: [layout],
  run: () => ({ layout: "/home" }),
});
const useLayout = defineTask({ name: "use_layout", needs: [layout], run: () => undefined });

describe("a missing input", () => {
  test("says that the filesystem task must run first", async () => {
    const plan = dynamicPlan({ name: "p", stages: [[useLayout]] });
    await expect(runPlan(plan)).rejects.toMatchObject({
      code: "PIPELINE_MISSING_INPUT",
      kind: "usage",
      message: "filesystem task must run first",
      details: { plan: "p", task: "use_layout", key: "layout" },
    });
  });

  test("is refused when the task that provides it comes later, which is named by its label", async () => {
    const late = defineTask({
      name: "late",
      label: "late one",
      provides: [layout],
      run: () => ({ layout: "" }),
    });
    const plan = dynamicPlan({ name: "p", stages: [[useLayout], [late]] });
    await expect(runPlan(plan)).rejects.toThrow("late one task must run first");
  });

  test("is refused when one task is run by itself, and names the value when nobody is known to make it", async () => {
    await expect(runTask(useLayout, {} as never)).rejects.toThrow("filesystem task must run first");
    const orphan: Key<"orphan", string> = key("orphan");
    const task = defineTask({ name: "t", needs: [orphan], run: () => undefined });
    await expect(runTask(task, {} as never)).rejects.toThrow("orphan task must run first");
  });

  test("does not run the task's work", async () => {
    let ran = false;
    const task = defineTask({
      name: "t",
      needs: [layout],
      run: () => {
        ran = true;
      },
    });
    await settlePlan(dynamicPlan({ name: "p", stages: [[task]] }));
    expect(ran).toBe(false);
  });

  test("is no question for a dynamic plan that is given the value", async () => {
    const plan = dynamicPlan({ name: "p", stages: [[useLayout]] });
    const result = await runPlan(plan, { inputs: { layout: "/x" } });
    expect(result.ok).toBe(true);
  });
});

describe("values", () => {
  test("of a single task are returned by name", async () => {
    expect(await runTask(setup, {})).toEqual({ layout: "/home" });
  });

  test("that a task promised but did not return fail it", async () => {
    const liar = defineTask({ name: "liar", provides: [layout], run: () => ({}) as never });
    await expect(runTask(liar, {})).rejects.toMatchObject({ code: "PIPELINE_MISSING_OUTPUT" });
  });

  test("are kept on failure, as far as they were made", async () => {
    const plan = definePlan({ name: "p" })
      .stage([setup])
      .stage([failing("bad", new Error("x"))]);
    expect(await settlePlan(plan)).toMatchObject({ ok: false, values: { layout: "/home" } });
  });
});

describe("order", () => {
  test("a stage begins when every task of the one before is done", async () => {
    const log: string[] = [];
    const [a, b, c] = [waiting("a", log), waiting("b", log), waiting("c", log)];
    const run = runPlan(definePlan({ name: "p" }).stage([a.task, b.task]).stage([c.task]));
    await settleMicrotasks();
    a.finish();
    await settleMicrotasks();
    expect(log).toEqual(["a begins", "b begins", "a ends"]);
    b.finish();
    c.finish();
    await run;
    expect(log).toEqual(["a begins", "b begins", "a ends", "b ends", "c begins", "c ends"]);
  });

  test("a graph's task begins as soon as its own inputs are there", async () => {
    const log: string[] = [];
    const slow = waiting("slow", log);
    const user = defineTask({
      name: "user",
      needs: [layout],
      run: () => {
        log.push("user");
      },
    });
    const run = runPlan(defineGraph({ name: "g", tasks: [user, slow.task, setup] }));
    await settleMicrotasks();
    expect(log).toEqual(["slow begins", "user"]);
    slow.finish();
    await run;
  });

  test("no more tasks run at once than the plan allows, in declaration order", async () => {
    let running = 0;
    let most = 0;
    const started: number[] = [];
    const tasks = Array.from({ length: 9 }, (_, index) =>
      defineTask({
        name: `t${index}`,
        run: async () => {
          started.push(index);
          running += 1;
          most = Math.max(most, running);
          await settleMicrotasks();
          running -= 1;
        },
      }),
    );
    await runPlan(dynamicPlan({ name: "p", concurrency: 3, stages: [tasks] }));
    expect(most).toBe(3);
    expect(started).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
  });

  test("an empty plan succeeds", async () => {
    expect((await runPlan(definePlan({ name: "p" }))).metrics).toMatchObject({
      tasks: [],
      criticalPath: { tasks: [], durationMs: 0 },
    });
  });
});
