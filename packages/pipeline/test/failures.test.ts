import { BoxError } from "@box/errors";
import {
  definePlan,
  defineTask,
  type OnFailure,
  type PipelineEvent,
  runPlan,
  settlePlan,
} from "@box/pipeline";
import { describe, expect, test } from "vitest";
import { ManualClock, settleMicrotasks } from "./manual-clock.ts";
import { failing, waiting } from "./tasks.ts";

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
