import {
  type Attributes,
  ROOT_CONTEXT,
  type Span,
  SpanStatusCode,
  TraceFlags,
  type Tracer,
  trace,
} from "@opentelemetry/api";
import type { EventStamp, OwnEvent, PipelineEvent } from "../event.ts";

/**
 * Turns the events of runs into spans: one for each task, in the trace of the run, below the span that the run hangs under.
 *
 * Attempts that are retried, warnings, notes, work that was saved and the tasks' own events become events of the span;
 * progress does not. A task that failed sets the span's status, and one that was stopped the attribute `box.cancelled`.
 *
 * @returns For `onEvent`. One for any number of runs.
 */
export function traceTo(tracer: Tracer): (event: PipelineEvent<OwnEvent>) => void {
  const spans = new Map<string, Span>();
  return (event) => {
    const key = `${event.traceId} ${event.spanId}`;
    if (event.type === "started") spans.set(key, begin(tracer, event));
    const span = spans.get(key);
    if (span === undefined || event.type === "progress") return;
    if (isEnd(event)) {
      spans.delete(key);
      end(span, event);
    } else if (event.type !== "started") {
      span.addEvent(event.type, attributesOf(event), event.timeMs);
    }
  };
}

function begin(tracer: Tracer, { task, plan, traceId, parentSpanId, timeMs }: EventStamp): Span {
  const above = { traceId, spanId: parentSpanId, traceFlags: TraceFlags.SAMPLED, isRemote: true };
  const attributes = { "box.plan": plan, "box.task": task };
  const options = { startTime: timeMs, attributes };
  return tracer.startSpan(task, options, trace.setSpanContext(ROOT_CONTEXT, above));
}

type End = Extract<PipelineEvent, { readonly type: "finished" | "failed" | "cancelled" }>;

function isEnd(event: PipelineEvent<OwnEvent>): event is End {
  return event.type === "finished" || event.type === "failed" || event.type === "cancelled";
}

function end(span: Span, event: End): void {
  if (event.type === "failed") {
    const { code, message } = event.error;
    span.setAttribute("error.type", code);
    span.setStatus({ code: SpanStatusCode.ERROR, message });
    span.recordException({ name: code, message }, event.timeMs);
  }
  if (event.type === "cancelled") span.setAttribute("box.cancelled", true);
  else span.setAttribute("box.attempts", event.attempts);
  span.end(event.timeMs);
}

/** What is more than the stamp and is a plain value; the rest as JSON. */
function attributesOf(event: PipelineEvent<OwnEvent>): Attributes {
  const stamp = ["type", "plan", "task", "sequence", "timeMs", "traceId", "spanId", "parentSpanId"];
  const attributes: Attributes = {};
  for (const [name, value] of Object.entries(event)) {
    if (stamp.includes(name) || value === undefined) continue;
    attributes[`box.${name}`] = typeof value === "object" ? JSON.stringify(value) : value;
  }
  return attributes;
}
