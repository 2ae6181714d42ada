import type { ErrorReport } from "@box/errors";

/** What every event carries, filled in by the pipeline. */
export interface EventStamp {
  /** The plan's name. */
  readonly plan: string;
  /** The task's name. */
  readonly task: string;
  /** 1 for the first event of a run, then one more each, without gaps. */
  readonly sequence: number;
  /** When, in milliseconds since 1970, by the run's clock. */
  readonly timeMs: number;
  /** The run's trace: 32 hex digits. */
  readonly traceId: string;
  /** The task's span: 16 hex digits. */
  readonly spanId: string;
  /** The span of the run, or of what called it. */
  readonly parentSpanId: string;
}

/** A task has begun. */
export interface StartedEvent {
  readonly type: "started";
}

/** How far a task, or one item of it, has come. */
export interface ProgressEvent {
  readonly type: "progress";
  /** Units done so far. */
  readonly done: number;
  /** Units in all, when known. */
  readonly total?: number;
  /** What is counted, such as `bytes` or `layers`. */
  readonly unit: string;
  /** Which part of the task it is about, such as a layer's digest, when there are several. */
  readonly item?: string;
}

/** Something worth telling that is as it should be. */
export interface InfoEvent {
  readonly type: "info";
  /** One sentence for a person. */
  readonly message: string;
  /** Facts for programs; plain JSON values. */
  readonly details?: Readonly<Record<string, unknown>>;
}

/** Something that is not as it should be, and did not stop the task. */
export interface WarningEvent {
  readonly type: "warning";
  /** A stable name, when there is one. */
  readonly code?: string;
  /** One sentence for a person. */
  readonly message: string;
  /** Facts for programs; plain JSON values. */
  readonly details?: Readonly<Record<string, unknown>>;
}

/** Work was saved because its result was there already. */
export interface CachedEvent {
  readonly type: "cached";
  /** What was reused. */
  readonly message: string;
  /** Facts for programs; plain JSON values. */
  readonly details?: Readonly<Record<string, unknown>>;
}

/** An attempt failed and another follows. */
export interface RetriedEvent {
  readonly type: "retried";
  /** The attempt that failed; 1 is the first. */
  readonly attempt: number;
  /** How long the pipeline waits before the next one. */
  readonly delayMs: number;
  /** Why it failed. */
  readonly error: ErrorReport;
}

/** A task is done. */
export interface FinishedEvent {
  readonly type: "finished";
  /** From its start, all attempts counted. */
  readonly durationMs: number;
  /** How many attempts it took. */
  readonly attempts: number;
}

/** A task failed for good. */
export interface FailedEvent {
  readonly type: "failed";
  /** From its start, all attempts counted. */
  readonly durationMs: number;
  /** How many attempts were made. */
  readonly attempts: number;
  /** Why. */
  readonly error: ErrorReport;
}

/** A task was stopped, or never started, because the run was aborted or another task failed. */
export interface CancelledEvent {
  readonly type: "cancelled";
  /** Whether it had begun. */
  readonly started: boolean;
  /** From its start; 0 when it had not begun. */
  readonly durationMs: number;
}

/** What the pipeline itself tells about a task. */
export type StandardEvent =
  | StartedEvent
  | ProgressEvent
  | InfoEvent
  | WarningEvent
  | CachedEvent
  | RetriedEvent
  | FinishedEvent
  | FailedEvent
  | CancelledEvent;

/** The least that an event of a task's own has: a type that is none of the pipeline's. */
export interface OwnEvent {
  /** Names the event; not one of {@link StandardEvent}'s. */
  readonly type: string;
}

/** Any event of a run: one of the pipeline's, or one of the tasks' own, stamped. */
export type PipelineEvent<Own extends OwnEvent = never> = EventStamp &
  (StandardEvent | ([Own] extends [never] ? never : Own));
