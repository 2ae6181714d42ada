import { defineGraph, definePlan, defineTask, type Key, key, settlePlan } from "@box/pipeline";
import { expect, test } from "vitest";
import { ManualClock } from "./manual-clock.ts";

const a: Key<"a", number> = key("a");
const b: Key<"b", number> = key("b");

test("metrics tell each task's time and the critical path", async () => {
  const clock = new ManualClock();
  const wait = (ms: number) => new Promise<void>((resolve) => clock.after(ms, resolve));
  const makeA = defineTask({
    name: "make_a",
    provides: [a],
    run: async () => {
      await wait(10);
      return { a: 1 };
    },
  });
  const makeB = defineTask({
    name: "make_b",
    provides: [b],
    run: async () => {
      await wait(30);
      return { b: 1 };
    },
  });
  const useA = defineTask({ name: "use_a", needs: [a], run: () => wait(40) });
  const useB = defineTask({ name: "use_b", needs: [b, a], run: () => wait(5) });
  const run = settlePlan(defineGraph({ name: "g", tasks: [useB, useA, makeB, makeA] }), { clock });
  for (const ms of [10, 20, 5, 15]) await clock.advance(ms);
  const { metrics } = await run;
  expect(metrics.durationMs).toBe(50);
  expect(metrics.criticalPath).toEqual({ tasks: ["make_a", "use_a"], durationMs: 50 });
  expect(metrics.tasks.map(({ task, startMs, durationMs }) => [task, startMs, durationMs])).toEqual(
    [
      ["use_b", 30, 5],
      ["use_a", 10, 40],
      ["make_b", 0, 30],
      ["make_a", 0, 10],
    ],
  );
});

test("metrics are there on failure too, clean-up counted", async () => {
  const clock = new ManualClock();
  const wait = (ms: number) => new Promise<void>((resolve) => clock.after(ms, resolve));
  const bad = defineTask({
    name: "bad",
    run: async (_, { defer }) => {
      defer(() => wait(7));
      await wait(3);
      throw new Error("bad");
    },
  });
  const later = defineTask({ name: "later", run: () => undefined });
  const run = settlePlan(definePlan({ name: "p" }).stage([bad]).stage([later]), { clock });
  await clock.advance(3);
  await clock.advance(7);
  expect((await run).metrics).toEqual({
    durationMs: 10,
    cleanUpMs: 7,
    criticalPath: { tasks: ["bad"], durationMs: 3 },
    tasks: [
      { task: "bad", outcome: "failed", cached: false, attempts: 1, startMs: 0, durationMs: 3 },
      {
        task: "later",
        outcome: "not-started",
        cached: false,
        attempts: 0,
        startMs: 0,
        durationMs: 0,
      },
    ],
  });
});
