import type { CachedEvent, InfoEvent, OwnEvent, ProgressEvent, WarningEvent } from "./event.ts";
import type { AnyKey, ValuesOf } from "./key.ts";
import type { TraceContext } from "./trace.ts";

/** How a run ended, told to clean-ups. */
export interface Outcome {
  /** Whether every task finished. */
  readonly ok: boolean;
  /** The leading error when not. */
  readonly error?: unknown;
}

/** Frees what a task took or made. May be asynchronous; what it throws is kept, and the other clean-ups still run. */
export type CleanUp = (outcome: Outcome) => void | Promise<void>;

/** What a running task can do besides its own work. */
export interface TaskContext<Own extends OwnEvent = never> {
  /** Aborts when the run is aborted, the task's time is over, or another task's failure cancels this one. */
  readonly signal: AbortSignal;
  /** The task's own place in the trace, for what it calls. */
  readonly trace: TraceContext;
  /** 1 for the first attempt. */
  readonly attempt: number;
  /** Tells how far the task has come. */
  progress(event: Omit<ProgressEvent, "type">): void;
  /** Tells something that is as it should be. */
  info(message: string, details?: InfoEvent["details"]): void;
  /** Tells something that is not as it should be but does not stop the task. */
  warn(event: Omit<WarningEvent, "type">): void;
  /** Tells that work was saved. */
  cached(message: string, details?: CachedEvent["details"]): void;
  /** Tells an event of the task's own. */
  emit(event: Own): void;
  /**
   * Runs `cleanUp` once the whole run has ended, whatever its outcome, in reverse order over all tasks. Those of
   * an attempt that is retried run before the next attempt.
   */
  defer(cleanUp: CleanUp): void;
  /** Like {@link TaskContext.defer}, but only when the run, or the attempt that is retried, did not succeed. */
  undo(cleanUp: CleanUp): void;
}

/** When and how often a failed task is tried again. */
export interface RetryPolicy {
  /** Attempts in all, the first one counted; at least 1. */
  readonly attempts: number;
  /** Wait before the second attempt; 0 by default. */
  readonly delayMs?: number;
  /** Each further wait is longer by this factor; 2 by default. */
  readonly factor?: number;
  /** No wait is longer than this; 30 seconds by default. */
  readonly maxDelayMs?: number;
  /** Whether an error is worth another attempt; by default those that say so (`retryable`), and time-outs. */
  readonly when?: (error: unknown) => boolean;
}

/** What a task hands over: nothing, or a value for each key it provides; unknown when the keys are. */
export type OutputsOf<Provides extends AnyKey> = [Provides] extends [never]
  ? // biome-ignore lint/suspicious/noConfusingVoidType: the result of a function without a return statement
    void
  : string extends Provides["name"]
    ? unknown
    : ValuesOf<Provides>;

/** A unit of work that says what it needs and what it provides. Made by {@link defineTask}. */
export interface Task<
  Needs extends AnyKey = AnyKey,
  Provides extends AnyKey = AnyKey,
  Own extends OwnEvent = OwnEvent,
> {
  /** Its name in events and metrics, unique in a plan, such as `filesystem_setup`. */
  readonly name: string;
  /** Its short name in messages such as `filesystem task must run first`. */
  readonly label: string;
  /** The values it reads. */
  readonly needs: readonly Needs[];
  /** The values it makes. */
  readonly provides: readonly Provides[];
  /** Each attempt fails after this time; no limit by default. */
  readonly timeoutMs?: number;
  /** How long it may go on after its signal aborted before the run stops waiting for it; one second by default. */
  readonly graceMs?: number;
  /** When it is tried again; never by default. */
  readonly retry?: RetryPolicy;
  /**
   * Does the work.
   *
   * A method, so that tasks of any inputs can stand in one list: its parameters are compared both ways.
   */
  run(
    inputs: ValuesOf<Needs>,
    context: TaskContext<Own>,
  ): OutputsOf<Provides> | Promise<OutputsOf<Provides>>;
}

/** What {@link defineTask} takes: a {@link Task} whose label and keys may be left out. */
export interface TaskDefinition<Needs extends AnyKey, Provides extends AnyKey, Own extends OwnEvent>
  extends Omit<Task<Needs, Provides, Own>, "label" | "needs" | "provides"> {
  /** Its short name in messages; its name when absent. */
  readonly label?: string;
  /** The values it reads; none when absent. */
  readonly needs?: readonly Needs[];
  /** The values it makes; none when absent. */
  readonly provides?: readonly Provides[];
  /** The type of its own events: `ownEvents<MyEvent>()`. */
  readonly events?: OwnEvents<Own>;
}

/** Names the type of a task's own events; holds nothing. Made by {@link ownEvents}. */
export interface OwnEvents<Own extends OwnEvent> {
  /** Type only. */
  readonly ownEvent?: Own;
}

/** Names the type of a task's own events in its definition. */
export function ownEvents<Own extends OwnEvent>(): OwnEvents<Own> {
  return {};
}

/** Makes a task. Its types come from the keys; `run` gets the needed values and returns the provided ones. */
export function defineTask<
  Needs extends AnyKey = never,
  Provides extends AnyKey = never,
  Own extends OwnEvent = never,
>(definition: TaskDefinition<Needs, Provides, Own>): Task<Needs, Provides, Own> {
  const { events: _typeOnly, ...rest } = definition;
  return {
    ...rest,
    label: definition.label ?? definition.name,
    needs: definition.needs ?? [],
    provides: definition.provides ?? [],
    run: (inputs, context) => definition.run(inputs, context),
  };
}
