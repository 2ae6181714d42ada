import type { OperationRecord } from "../box-service.ts";
import type { Operations } from "./operations.ts";

/** A form in which events are streamed. */
export type StreamForm = "text/event-stream" | "application/x-ndjson";

/** What {@link streamEvents} takes. */
export interface StreamEventsOptions {
  /** The operation. */
  readonly id: string;
  /** The form. */
  readonly form: StreamForm;
  /** Events up to this number are left out. */
  readonly afterSequence: number;
  /** Aborted when the caller leaves. */
  readonly signal: AbortSignal;
}

interface Numbered {
  readonly type: string;
  readonly sequence: number;
}

/** The events of an operation as text, then one of type `done` with the operation as it ended. */
export async function* streamEvents(
  operations: Operations,
  { id, form, afterSequence, signal }: StreamEventsOptions,
): AsyncGenerator<string> {
  const format = form === "text/event-stream" ? formatSse : formatNdjson;
  let last = afterSequence;
  for await (const event of operations.follow(id, afterSequence, signal)) {
    last = event.sequence;
    yield format(event);
  }
  if (signal.aborted || (await operations.isBeyond(id, last))) return;
  yield format(doneEvent(await operations.get(id), last + 1));
}

/** The form that an `Accept` header asks for first; server-sent events when it names neither. */
export function chooseForm(accept: string | undefined): StreamForm {
  const wanted = (accept ?? "").toLowerCase();
  const ndjson = wanted.indexOf("application/x-ndjson");
  const sse = wanted.indexOf("text/event-stream");
  return ndjson >= 0 && (sse < 0 || ndjson < sse) ? "application/x-ndjson" : "text/event-stream";
}

function doneEvent(operation: OperationRecord, sequence: number) {
  return { type: "done", sequence, operation };
}

function formatSse(event: Numbered): string {
  // JSON has no line breaks, and types come from our own code: nobody breaks out of a frame.
  return `id: ${event.sequence}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;
}

function formatNdjson(event: Numbered): string {
  return `${JSON.stringify(event)}\n`;
}
