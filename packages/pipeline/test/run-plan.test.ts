import { BoxError } from "@box/errors";
import {
  defineGraph,
  definePlan,
  defineTask,
  dynamicPlan,
  type Key,
  key,
  type OnFailure,
  ownEvents,
  type PipelineEvent,
  runPlan,
  runTask,
  settlePlan,
  type Task,
} from "@box/pipeline";
import { describe, expect, test } from "vitest";
import { countingIds, ManualClock, settleMicrotasks } from "./manual-clock.ts";

const layout: Key<"layout", string> = key("layout", { from: "filesystem" });
const setup = defineTask({
  name: "filesystem_setup",
  label: "filesystem",
  provides: [layout],
  run: () => ({ layout: "/home" }),
});
const useLayout = defineTask({ name: "use_layout", needs: [layout], run: () => undefined });

function failing(name: string, error: unknown): Task<never, never, never> {
  return defineTask({
    name,
    run: () => {
      throw error;
    },
  });
}

/** A task that ends when told, and rejects as fetch does when its signal aborts. */
function waiting(name: string, log: string[] = []) {
  const { promise, resolve } = Promise.withResolvers<void>();
  const task = defineTask({
    name,
    run: async (_, { signal }) => {
      log.push(`${name} begins`);
      const { promise: aborted, reject } = Promise.withResolvers<never>();
      signal.addEventListener("abort", () => {
        log.push(`${name} aborts`);
        reject(signal.reason);
      });
      await Promise.race([promise, aborted]);
      log.push(`${name} ends`);
    },
  });
  return { task, finish: resolve };
}

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

describe("failure in a group", () => {
  async function run(onFailure: OnFailure) {
    const log: string[] = [];
    const other = waiting("other", log);
    const plan = definePlan({ name: "p", onFailure })
      .stage([failing("bad", new Error("bad")), other.task])
      .stage([waiting("never", log).task]);
    const result = settlePlan(plan);
    await settleMicrotasks();
    other.finish();
    return { result: await result, log };
  }

  test("cancels the others by choice", async () => {
    const { result, log } = await run("cancel");
    expect(log).toEqual(["other begins", "other aborts"]);
    expect(result.metrics.tasks.map(({ outcome }) => outcome)).toEqual([
      "failed",
      "cancelled",
      "not-started",
    ]);
  });

  test("waits for the others by choice", async () => {
    const { result, log } = await run("await");
    expect(log).toEqual(["other begins", "other ends"]);
    expect(result.metrics.tasks.map(({ outcome }) => outcome)).toEqual([
      "failed",
      "finished",
      "not-started",
    ]);
  });

  test("a stage can choose otherwise than its plan", async () => {
    const log: string[] = [];
    const other = waiting("other", log);
    const plan = definePlan({ name: "p", onFailure: "cancel" }).stage(
      [failing("bad", new Error("bad")), other.task],
      { onFailure: "await" },
    );
    const result = settlePlan(plan);
    await settleMicrotasks();
    other.finish();
    await result;
    expect(log).toEqual(["other begins", "other ends"]);
  });

  test("is led by the first error in declaration order, and the others are kept", async () => {
    const [first, second] = [new Error("first"), new Error("second")];
    const gate = Promise.withResolvers<void>();
    const late = defineTask({
      name: "declared_first",
      run: async () => {
        await gate.promise;
        throw first;
      },
    });
    const plan = definePlan({ name: "p", onFailure: "await" }).stage([
      late,
      failing("declared_second", second),
    ]);
    const settled = settlePlan(plan);
    await settleMicrotasks();
    gate.resolve();
    const result = await settled;
    expect(result).toMatchObject({
      ok: false,
      error: first,
      failures: [
        { task: "declared_first", error: first, whileStopping: false },
        { task: "declared_second", error: second, whileStopping: false },
      ],
    });
    await expect(runPlan(definePlan({ name: "p" }).stage([failing("x", first)]))).rejects.toBe(
      first,
    );
  });

  test("is not led by what a task throws because it was told to stop", async () => {
    const secondary = new Error("connection lost");
    const cause = new Error("cause");
    const broken = defineTask({
      name: "declared_first",
      run: (_, { signal }) => {
        const { promise, reject } = Promise.withResolvers<void>();
        signal.addEventListener("abort", () => reject(secondary));
        return promise;
      },
    });
    const result = await settlePlan(
      definePlan({ name: "p" }).stage([broken, failing("declared_second", cause)]),
    );
    expect(result).toMatchObject({
      error: cause,
      failures: [
        { error: secondary, whileStopping: true },
        { error: cause, whileStopping: false },
      ],
    });
  });
});

describe("an abort from outside", () => {
  test("stops what runs, starts nothing more, and is told as aborted", async () => {
    const log: string[] = [];
    const events: PipelineEvent[] = [];
    const controller = new AbortController();
    const plan = definePlan({ name: "p" })
      .stage([waiting("a", log).task])
      .stage([waiting("b", log).task]);
    const run = runPlan(plan, {
      signal: controller.signal,
      onEvent: (event) => events.push(event),
    });
    await settleMicrotasks();
    controller.abort(new Error("Ctrl-C"));
    await expect(run).rejects.toMatchObject({
      code: "PIPELINE_ABORTED",
      kind: "aborted",
      cause: { message: "Ctrl-C" },
    });
    expect(log).toEqual(["a begins", "a aborts"]);
    expect(events.map(({ task, type }) => `${task} ${type}`)).toEqual([
      "a started",
      "a cancelled",
      "b cancelled",
    ]);
    expect(events.at(-1)).toMatchObject({ started: false });
  });

  test("that came before the start runs nothing", async () => {
    const log: string[] = [];
    const plan = definePlan({ name: "p" }).stage([waiting("a", log).task]);
    const result = await settlePlan(plan, { signal: AbortSignal.abort() });
    expect(result).toMatchObject({ ok: false, error: { code: "PIPELINE_ABORTED" } });
    expect(log).toEqual([]);
  });

  test("passes a reason that has a code through unchanged", async () => {
    const reason = new BoxError({
      code: "SHUTDOWN",
      kind: "interrupted",
      message: "shutting down",
    });
    const plan = definePlan({ name: "p" }).stage([waiting("a").task]);
    await expect(runPlan(plan, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });

  test("does not hide an error that came before it", async () => {
    const error = new Error("real");
    const controller = new AbortController();
    const plan = definePlan({ name: "p", onFailure: "await" }).stage([
      failing("bad", error),
      waiting("other").task,
    ]);
    const run = runPlan(plan, { signal: controller.signal });
    await settleMicrotasks();
    controller.abort();
    await expect(run).rejects.toBe(error);
  });

  test("stops waiting for a task that does not listen, once its grace is over", async () => {
    const clock = new ManualClock();
    const controller = new AbortController();
    const deaf = defineTask({ name: "deaf", graceMs: 50, run: () => new Promise<void>(() => {}) });
    const run = settlePlan(definePlan({ name: "p" }).stage([deaf]), {
      signal: controller.signal,
      clock,
    });
    await settleMicrotasks();
    controller.abort();
    await clock.advance(50);
    expect(await run).toMatchObject({ ok: false, error: { code: "PIPELINE_ABORTED" } });
    expect(clock.pending).toBe(0);
  });
});

describe("events", () => {
  interface Overlay {
    readonly type: "overlay";
    readonly name: string;
  }

  test("are one typed stream, numbered, timed by the given clock, in one trace", async () => {
    const clock = new ManualClock(5000);
    const events: PipelineEvent<Overlay>[] = [];
    const talker = defineTask({
      name: "talker",
      events: ownEvents<Overlay>(),
      run: async (_, context) => {
        context.progress({ done: 1, total: 2, unit: "bytes", item: "layer" });
        context.info("note", { size: 1 });
        context.info("bare");
        context.warn({ code: "ODD", message: "odd" });
        context.cached("saved");
        context.emit({ type: "overlay", name: "overlay.kept" });
        expect(context.trace).toEqual({ traceId: "a".repeat(32), spanId: "1".padStart(16, "0") });
      },
    });
    const { metrics } = await runPlan(definePlan({ name: "p" }).stage([talker]), {
      clock,
      ids: countingIds(),
      trace: { traceId: "a".repeat(32), spanId: "b".repeat(16) },
      onEvent: (event) => events.push(event),
    });
    const stamp = {
      plan: "p",
      task: "talker",
      timeMs: 5000,
      traceId: "a".repeat(32),
      spanId: "1".padStart(16, "0"),
      parentSpanId: "b".repeat(16),
    };
    expect(events).toEqual(
      [
        { type: "started" },
        { type: "progress", done: 1, total: 2, unit: "bytes", item: "layer" },
        { type: "info", message: "note", details: { size: 1 } },
        { type: "info", message: "bare" },
        { type: "warning", code: "ODD", message: "odd" },
        { type: "cached", message: "saved" },
        { type: "overlay", name: "overlay.kept" },
        { type: "finished", durationMs: 0, attempts: 1 },
      ].map((event, index) => ({ ...event, ...stamp, sequence: index + 1 })),
    );
    expect(metrics.tasks[0]).toMatchObject({ cached: true, outcome: "finished" });
  });

  test("of a failure carry the error as plain data", async () => {
    const events: PipelineEvent[] = [];
    const error = new BoxError({ code: "DISK_BAD", kind: "corrupt", message: "bad disk" });
    await settlePlan(definePlan({ name: "p" }).stage([failing("t", error)]), {
      onEvent: (event) => events.push(event),
    });
    expect(events.at(-1)).toMatchObject({
      type: "failed",
      error: { code: "DISK_BAD", kind: "corrupt", message: "bad disk" },
    });
    expect(JSON.parse(JSON.stringify(events))).toEqual(events);
  });

  test("have ids of the right form by default", async () => {
    const events: PipelineEvent[] = [];
    await runPlan(definePlan({ name: "p" }).stage([setup]), { onEvent: (e) => events.push(e) });
    expect(events[0]?.traceId).toMatch(/^[0-9a-f]{32}$/);
    expect(events[0]?.spanId).toMatch(/^[0-9a-f]{16}$/);
    expect(events[0]?.parentSpanId).not.toBe(events[0]?.spanId);
  });

  test("reach a listener whose errors stop nothing and are kept", async () => {
    const error = new Error("listener");
    const result = await runPlan(definePlan({ name: "p" }).stage([setup]), {
      onEvent: () => {
        throw error;
      },
    });
    expect(result.listenerErrors).toEqual([error, error]);
  });
});
