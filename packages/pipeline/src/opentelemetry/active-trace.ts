import { trace } from "@opentelemetry/api";
import type { TraceContext } from "../trace.ts";

/** The span that OpenTelemetry has active here, for the `trace` of a run; nothing when there is none. */
export function activeTrace(): TraceContext | undefined {
  const found = trace.getActiveSpan()?.spanContext();
  return found === undefined ? undefined : { traceId: found.traceId, spanId: found.spanId };
}
