import { definePlan, defineTask, runPlan, settlePlan, type Task } from "@box/pipeline";
import { describe, expect, test } from "vitest";
import { ManualClock, settleMicrotasks } from "./manual-clock.ts";

function leaving(name: string, log: string[], fail = false): Task<never, never, never> {
  return defineTask({
    name,
    run: (_, context) => {
      context.defer(async ({ ok }) => {
        await settleMicrotasks();
        log.push(`${name} deferred ok=${ok}`);
      });
      context.undo(() => {
        log.push(`${name} undone`);
      });
      if (fail) throw new Error(name);
    },
  });
}

describe("clean-up", () => {
  test("runs in reverse order over all tasks, each to its end", async () => {
    const log: string[] = [];
    await runPlan(
      definePlan({ name: "p" })
        .stage([leaving("a", log)])
        .stage([leaving("b", log)]),
    );
    expect(log).toEqual(["b deferred ok=true", "a deferred ok=true"]);
  });

  test("undoes only when the run failed, whichever task failed", async () => {
    const log: string[] = [];
    const plan = definePlan({ name: "p" })
      .stage([leaving("a", log)])
      .stage([leaving("b", log, true)]);
    await expect(runPlan(plan)).rejects.toThrow("b");
    expect(log).toEqual(["b undone", "b deferred ok=false", "a undone", "a deferred ok=false"]);
  });

  test("is told the leading error", async () => {
    const error = new Error("x");
    let told: unknown;
    const task = defineTask({
      name: "t",
      run: (_, { defer }) => {
        defer((outcome) => {
          told = outcome.error;
        });
        throw error;
      },
    });
    await settlePlan(definePlan({ name: "p" }).stage([task]));
    expect(told).toBe(error);
  });

  test("runs every other clean-up when one throws, and keeps what it threw", async () => {
    const log: string[] = [];
    const [first, second] = [new Error("first"), new Error("second")];
    const throwing = defineTask({
      name: "throwing",
      run: (_, { defer }) => {
        defer(() => Promise.reject(second));
        defer(() => {
          throw first;
        });
      },
    });
    const plan = definePlan({ name: "p" })
      .stage([leaving("a", log)])
      .stage([throwing]);
    const result = await settlePlan(plan);
    expect(result).toMatchObject({ ok: false, error: first, cleanUpErrors: [first, second] });
    expect(log).toEqual(["a deferred ok=true"]);
  });

  test("does not hide the error of a task", async () => {
    const error = new Error("task");
    const task = defineTask({
      name: "t",
      run: (_, { defer }) => {
        defer(() => Promise.reject(new Error("clean-up")));
        throw error;
      },
    });
    await expect(runPlan(definePlan({ name: "p" }).stage([task]))).rejects.toBe(error);
  });

  test("runs also when the run is aborted", async () => {
    const log: string[] = [];
    const controller = new AbortController();
    const plan = definePlan({ name: "p" })
      .stage([leaving("a", log)])
      .stage([
        defineTask({
          name: "b",
          run: () => controller.abort(),
        }),
      ]);
    await settlePlan(plan, { signal: controller.signal });
    expect(log).toEqual(["a undone", "a deferred ok=false"]);
  });

  test("runs at once for what a task leaves after the run has given it up", async () => {
    const log: string[] = [];
    const clock = new ManualClock();
    const gate = Promise.withResolvers<void>();
    const late = defineTask({
      name: "late",
      timeoutMs: 10,
      graceMs: 10,
      run: async (_, context) => {
        await gate.promise;
        context.defer(() => {
          log.push("late cleaned");
        });
        context.info("nobody hears this");
      },
    });
    let events = 0;
    const run = settlePlan(definePlan({ name: "p" }).stage([late]), {
      clock,
      onEvent: () => {
        events += 1;
      },
    });
    await clock.advance(10);
    await clock.advance(10);
    await run;
    gate.resolve();
    await settleMicrotasks();
    expect(log).toEqual(["late cleaned"]);
    expect(events).toBe(2);
  });
});
