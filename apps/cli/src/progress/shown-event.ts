import type { ErrorReport } from "@box/errors";

/**
 * What the renderers look at in an event. Every event of a pipeline, of whatever type, has this shape; an event of a
 * type they do not know is shown when it has a message.
 */
export interface ShownEvent {
  /** `started`, `progress`, `info`, `warning`, `cached`, `retried`, `finished`, `failed`, `cancelled` or a task's own. */
  readonly type: string;
  /** The task that it is about. */
  readonly task?: string;
  /** The part of the task, such as a layer's digest. */
  readonly item?: string;
  /** Units done so far. */
  readonly done?: number;
  /** Units in all. */
  readonly total?: number;
  /** What is counted. */
  readonly unit?: string;
  /** One sentence for a person. */
  readonly message?: string;
  /** How important an event of a task's own is. */
  readonly level?: "info" | "warning" | "error";
  /** A stable name. */
  readonly code?: string;
  /** How long a finished task took. */
  readonly durationMs?: number;
  /** How long until the next attempt. */
  readonly delayMs?: number;
  /** Why an attempt or a task failed. */
  readonly error?: ErrorReport;
}

/** Shows events and notes on stderr. */
export interface ProgressRenderer {
  /** Takes the next event. */
  event(event: ShownEvent): void;
  /** Prints text as it is, between the progress lines. */
  print(text: string): void;
  /** Leaves the last state on the screen and gives the terminal back. */
  close(): void;
}
