import { BoxError } from "@box/errors";
import { definePlan, defineTask, ownEvents, settlePlan } from "@box/pipeline";
import { activeTrace, traceTo } from "@box/pipeline/opentelemetry";
import { SpanStatusCode, trace } from "@opentelemetry/api";
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-base";
import { expect, test, vi } from "vitest";
import { ManualClock } from "./manual-clock.ts";

const above = { traceId: "a".repeat(32), spanId: "b".repeat(16) };

function exporting() {
  const exporter = new InMemorySpanExporter();
  const provider = new BasicTracerProvider({
    spanProcessors: [new SimpleSpanProcessor(exporter)],
  });
  return { tracer: provider.getTracer("test"), spans: () => exporter.getFinishedSpans() };
}

test("each task becomes a span of the run's trace, with what it told and how it ended", async () => {
  const { tracer, spans } = exporting();
  const shaky = new BoxError({ code: "NET", kind: "network", message: "reset", retryable: true });
  const pull = defineTask({
    name: "pull",
    retry: { attempts: 2 },
    events: ownEvents<{ readonly type: "layer"; readonly size: number }>(),
    run: (_, context) => {
      if (context.attempt === 1) throw shaky;
      context.progress({ done: 1, total: 2, unit: "bytes" });
      context.warn({ code: "ODD", message: "odd", details: { at: [1] } });
      context.emit({ type: "layer", size: 5 });
    },
  });
  const boot = defineTask({
    name: "boot",
    run: () => {
      throw shaky;
    },
  });
  const never = defineTask({ name: "never", run: () => {} });
  const plan = definePlan({ name: "start" }).stage([pull]).stage([boot]).stage([never]);
  const clock = new ManualClock(5000);
  await settlePlan(plan, { trace: above, clock, onEvent: traceTo(tracer) });
  const [first, second, ...more] = spans();
  expect(more).toEqual([]);
  expect(first).toMatchObject({
    name: "pull",
    startTime: [5, 0],
    parentSpanContext: above,
    attributes: { "box.plan": "start", "box.task": "pull", "box.attempts": 2 },
    status: { code: SpanStatusCode.UNSET },
    ended: true,
  });
  expect(first?.spanContext().traceId).toBe(above.traceId);
  expect(first?.events.map(({ name, attributes }) => [name, attributes])).toEqual([
    ["retried", { "box.attempt": 1, "box.delayMs": 0, "box.error": expect.any(String) }],
    ["warning", { "box.code": "ODD", "box.message": "odd", "box.details": '{"at":[1]}' }],
    ["layer", { "box.size": 5 }],
  ]);
  expect(second).toMatchObject({
    name: "boot",
    parentSpanContext: above,
    attributes: { "error.type": "NET" },
    status: { code: SpanStatusCode.ERROR, message: "reset" },
    events: [{ name: "exception" }],
  });
});

test("a task that was stopped says so", async () => {
  const { tracer, spans } = exporting();
  const controller = new AbortController();
  const task = defineTask({
    name: "t",
    run: (_, { signal }) => {
      controller.abort();
      signal.throwIfAborted();
    },
  });
  const plan = definePlan({ name: "p" }).stage([task]);
  await settlePlan(plan, { signal: controller.signal, onEvent: traceTo(tracer) });
  expect(spans()).toMatchObject([{ name: "t", attributes: { "box.cancelled": true } }]);
});

test("the active span of OpenTelemetry is where a run can hang, when there is one", () => {
  expect(activeTrace()).toBeUndefined();
  const span = exporting().tracer.startSpan("outer");
  const active = vi.spyOn(trace, "getActiveSpan").mockReturnValue(span);
  const { traceId, spanId } = span.spanContext();
  expect(activeTrace()).toEqual({ traceId, spanId });
  active.mockRestore();
});
