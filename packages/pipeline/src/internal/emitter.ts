import type { Clock } from "../clock.ts";
import type { EventStamp, OwnEvent, PipelineEvent, StandardEvent } from "../event.ts";

/** What tells a run's events apart. */
export interface EmitterOptions {
  readonly plan: string;
  readonly traceId: string;
  readonly parentSpanId: string;
  readonly clock: Clock;
  readonly onEvent?: ((event: PipelineEvent<OwnEvent>) => void) | undefined;
}

/** Stamps events, numbers them and hands them to the listener. */
export class Emitter {
  /** What the listener threw; it never stops a task. */
  readonly listenerErrors: unknown[] = [];
  readonly #options: EmitterOptions;
  #sequence = 0;

  constructor(options: EmitterOptions) {
    this.#options = options;
  }

  /** Tells one event of a task. */
  emit(task: { name: string; spanId: string }, event: StandardEvent | OwnEvent): void {
    const { plan, traceId, parentSpanId, clock, onEvent } = this.#options;
    this.#sequence += 1;
    const stamp: EventStamp = {
      plan,
      task: task.name,
      sequence: this.#sequence,
      timeMs: clock.now(),
      traceId,
      spanId: task.spanId,
      parentSpanId,
    };
    try {
      onEvent?.({ ...event, ...stamp });
    } catch (error) {
      this.listenerErrors.push(error);
    }
  }
}
