import { BoxError } from "@box/errors";
import {
  definePlan,
  defineTask,
  type Key,
  key,
  ownEvents,
  type PipelineEvent,
  runPlan,
  settlePlan,
} from "@box/pipeline";
import { describe, expect, test } from "vitest";
import { countingIds, ManualClock } from "./manual-clock.ts";
import { failing } from "./tasks.ts";

const layout: Key<"layout", string> = key("layout");
const setup = defineTask({ name: "setup", provides: [layout], run: () => ({ layout: "/home" }) });

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
