import { getEventListeners } from "node:events";
import { BoxError } from "@box/errors";
import {
  definePlan,
  defineTask,
  type PipelineEvent,
  type RetryPolicy,
  runPlan,
  settlePlan,
} from "@box/pipeline";
import { describe, expect, test, vi } from "vitest";
import { ManualClock, settleMicrotasks } from "./manual-clock.ts";

const shaky = new BoxError({ code: "NET", kind: "network", message: "reset", retryable: true });

function flaky(failures: number, retry: RetryPolicy, error: unknown = shaky, log: string[] = []) {
  const task = defineTask({
    name: "flaky",
    retry,
    run: (_, { attempt, defer }) => {
      log.push(`attempt ${attempt}`);
      defer(() => {
        log.push(`clean ${attempt}`);
      });
      if (attempt <= failures) throw error;
    },
  });
  return definePlan({ name: "p" }).stage([task]);
}

describe("retries", () => {
  test("try again after errors that say so, and clean up each attempt before the next", async () => {
    const log: string[] = [];
    const events: PipelineEvent[] = [];
    const { metrics } = await runPlan(flaky(2, { attempts: 3 }, shaky, log), {
      onEvent: (event) => events.push(event),
    });
    expect(log).toEqual(["attempt 1", "clean 1", "attempt 2", "clean 2", "attempt 3", "clean 3"]);
    expect(events.map(({ type }) => type)).toEqual(["started", "retried", "retried", "finished"]);
    expect(events[1]).toMatchObject({ attempt: 1, delayMs: 0, error: { code: "NET" } });
    expect(metrics.tasks[0]?.attempts).toBe(3);
  });

  test("end with the last error", async () => {
    const result = await settlePlan(flaky(9, { attempts: 3 }));
    expect(result).toMatchObject({ ok: false, error: shaky });
    expect(result.metrics.tasks[0]).toMatchObject({ attempts: 3, outcome: "failed" });
  });

  test("leave other errors alone, unless the policy says otherwise", async () => {
    const error = new Error("plain");
    const first = await settlePlan(flaky(1, { attempts: 3 }, error));
    expect(first.metrics.tasks[0]?.attempts).toBe(1);
    const second = await settlePlan(flaky(1, { attempts: 3, when: (e) => e === error }, error));
    expect(second.ok).toBe(true);
  });

  test("end with the task's error and its clean-ups when the policy throws; its error is kept beside", async () => {
    const log: string[] = [];
    const when = () => {
      throw new Error("when broke");
    };
    const result = await settlePlan(flaky(9, { attempts: 3, when }, shaky, log));
    expect(log).toEqual(["attempt 1", "clean 1"]);
    expect(result).toMatchObject({
      ok: false,
      error: shaky,
      failures: [
        { task: "flaky", error: shaky },
        { task: "flaky", error: { message: "when broke" } },
      ],
    });
  });

  test("leave nothing on the signal of the run", async () => {
    const signals: AbortSignal[] = [];
    const task = defineTask({
      name: "shaky",
      retry: { attempts: 4, delayMs: 1, factor: 1, when: () => true },
      run: () => {
        throw shaky;
      },
    });
    const original = AbortSignal.prototype.addEventListener;
    const spy = vi.spyOn(AbortSignal.prototype, "addEventListener");
    spy.mockImplementation(function (this: AbortSignal, ...given) {
      signals.push(this);
      return original.apply(this, given as Parameters<typeof original>);
    });
    await settlePlan(definePlan({ name: "p" }).stage([task]));
    spy.mockRestore();
    expect(signals.length).toBeGreaterThan(0);
    expect(signals.flatMap((signal) => getEventListeners(signal, "abort"))).toEqual([]);
  });

  test("wait longer each time, up to the limit, by the given clock", async () => {
    const clock = new ManualClock();
    const delays: number[] = [];
    const plan = flaky(4, { attempts: 5, delayMs: 100, factor: 3, maxDelayMs: 500 });
    const run = runPlan(plan, {
      clock,
      onEvent: (event) => {
        if (event.type === "retried") delays.push(event.delayMs);
      },
    });
    for (const delay of [100, 300, 500, 500]) await clock.advance(delay);
    expect((await run).metrics.durationMs).toBe(1400);
    expect(delays).toEqual([100, 300, 500, 500]);
  });

  test("stop waiting when the run is aborted", async () => {
    const clock = new ManualClock();
    const controller = new AbortController();
    const run = settlePlan(flaky(9, { attempts: 5, delayMs: 1000 }), {
      clock,
      signal: controller.signal,
    });
    await settleMicrotasks();
    controller.abort();
    expect(await run).toMatchObject({ error: { code: "PIPELINE_ABORTED" } });
    expect(clock.pending).toBe(0);
  });

  test("do not follow when the run was aborted during the attempt", async () => {
    const controller = new AbortController();
    let attempts = 0;
    const task = defineTask({
      name: "t",
      retry: { attempts: 5 },
      run: () => {
        attempts += 1;
        controller.abort();
        throw shaky;
      },
    });
    await settlePlan(definePlan({ name: "p" }).stage([task]), { signal: controller.signal });
    expect(attempts).toBe(1);
  });
});

describe("a time-out", () => {
  test("fails a task that does not stop, after its grace", async () => {
    const clock = new ManualClock();
    const task = defineTask({
      name: "slow",
      timeoutMs: 100,
      run: () => new Promise<void>(() => {}),
    });
    const run = settlePlan(definePlan({ name: "p" }).stage([task]), { clock });
    await clock.advance(100);
    await clock.advance(1000);
    expect(await run).toMatchObject({
      error: {
        code: "PIPELINE_TASK_TIMEOUT",
        kind: "timeout",
        message: "task slow took longer than 100 ms",
      },
      metrics: { durationMs: 1100 },
    });
  });

  test("fails a task at once that stops when told, and keeps what it threw as the cause", async () => {
    const clock = new ManualClock();
    const cause = new Error("stopped");
    const task = defineTask({
      name: "slow",
      timeoutMs: 100,
      run: (_, { signal }) => {
        const { promise, reject } = Promise.withResolvers<void>();
        signal.addEventListener("abort", () => reject(cause));
        return promise;
      },
    });
    const run = settlePlan(definePlan({ name: "p" }).stage([task]), { clock });
    await clock.advance(100);
    expect(await run).toMatchObject({ error: { code: "PIPELINE_TASK_TIMEOUT", cause } });
  });

  test("fails a task that finishes too late", async () => {
    const clock = new ManualClock();
    const task = defineTask({
      name: "slow",
      timeoutMs: 100,
      run: (_, { signal }) => {
        const { promise, resolve } = Promise.withResolvers<void>();
        signal.addEventListener("abort", () => resolve());
        return promise;
      },
    });
    const run = settlePlan(definePlan({ name: "p" }).stage([task]), { clock });
    await clock.advance(100);
    expect(await run).toMatchObject({ ok: false, error: { code: "PIPELINE_TASK_TIMEOUT" } });
  });

  test("counts for each attempt and is worth another one", async () => {
    const clock = new ManualClock();
    const task = defineTask({
      name: "slow",
      timeoutMs: 100,
      graceMs: 0,
      retry: { attempts: 2 },
      run: (_, { attempt }) => (attempt === 1 ? new Promise<void>(() => {}) : undefined),
    });
    const run = settlePlan(definePlan({ name: "p" }).stage([task]), { clock });
    await clock.advance(100);
    await clock.advance(0);
    expect(await run).toMatchObject({ ok: true });
    expect(clock.pending).toBe(0);
  });
});
