import { isBoxError } from "@box/errors";
import { systemClock } from "../clock.ts";
import { PipelineError } from "../errors.ts";
import type { OwnEvent } from "../event.ts";
import type { AnyKey } from "../key.ts";
import { findCriticalPath, type PlanMetrics } from "../metrics.ts";
import type { Plan } from "../plan.ts";
import type { PlanResult, TaskFailure } from "../plan-result.ts";
import type { RunSettings } from "../run-settings.ts";
import type { Outcome } from "../task.ts";
import { randomIds } from "../trace.ts";
import { CleanUpStack } from "./clean-up-stack.ts";
import { Emitter } from "./emitter.ts";
import { schedule } from "./schedule.ts";
import { type RunShared, TaskRun } from "./task-run.ts";

/** One run of a plan: its values, its tasks' states and its clean-ups. */
export class PlanRun {
  readonly #plan: Plan;
  readonly #signal: AbortSignal | undefined;
  readonly #shared: RunShared;
  readonly #tasks: readonly TaskRun[];
  readonly #stop = new AbortController();
  #stopping = false;

  constructor(
    plan: Plan,
    inputs: Readonly<Record<string, unknown>>,
    settings: RunSettings<OwnEvent>,
  ) {
    const { clock = systemClock, ids = randomIds, trace } = settings;
    const traceId = trace?.traceId ?? ids.traceId();
    const parentSpanId = trace?.spanId ?? ids.spanId();
    const emitter = new Emitter({
      plan: plan.name,
      traceId,
      parentSpanId,
      clock,
      onEvent: settings.onEvent,
    });
    this.#plan = plan;
    this.#signal = settings.signal;
    this.#shared = {
      plan,
      clock,
      traceId,
      emitter,
      values: new Map(Object.entries(inputs)),
      cleanUps: new CleanUpStack(),
      signal: this.#stop.signal,
      startMs: clock.monotonicMs(),
    };
    this.#tasks = plan.nodes.map((node) => new TaskRun(node, ids.spanId(), this.#shared));
  }

  /** Runs everything and tells how it ended. */
  async settle(): Promise<PlanResult<AnyKey>> {
    const abort = () => this.#stopAll(abortError(this.#plan.name, this.#signal?.reason));
    if (this.#signal?.aborted) abort();
    this.#signal?.addEventListener("abort", abort, { once: true });
    try {
      await schedule(this.#plan.nodes, {
        concurrency: this.#plan.concurrency,
        mayStart: () => !this.#stopping,
        run: (index) => this.#runOne(index),
      });
    } finally {
      this.#signal?.removeEventListener("abort", abort);
    }
    for (const task of this.#tasks) task.endIfNotStarted();
    return this.#result();
  }

  async #runOne(index: number): Promise<boolean> {
    const task = this.#tasks[index];
    if (task === undefined) return false;
    const ok = await task.run();
    if (ok) return true;
    if (task.node.onFailure === "cancel") this.#stopAll(abortError(this.#plan.name, undefined));
    this.#stopping = true;
    return false;
  }

  #stopAll(reason: unknown): void {
    this.#stopping = true;
    this.#stop.abort(reason);
  }

  async #result(): Promise<PlanResult<AnyKey>> {
    const failures = this.#tasks.flatMap(({ failures }) => failures);
    const leading = this.#leadingError(failures);
    const { clock, emitter, cleanUps, values } = this.#shared;
    const cleanUpStartMs = clock.monotonicMs();
    const outcome: Outcome = leading === undefined ? { ok: true } : { ok: false, ...leading };
    const cleanUpErrors = await cleanUps.runAll(outcome);
    const metrics = this.#metrics(cleanUpStartMs);
    const { listenerErrors } = emitter;
    const all = Object.fromEntries(values);
    const failed = leading ?? (cleanUpErrors.length > 0 ? { error: cleanUpErrors[0] } : undefined);
    if (failed === undefined) return { ok: true, values: all, metrics, listenerErrors };
    const { error } = failed;
    return { ok: false, error, failures, cleanUpErrors, values: all, metrics, listenerErrors };
  }

  #leadingError(failures: readonly TaskFailure[]): { readonly error: unknown } | undefined {
    const own = failures.find((failure) => !failure.whileStopping);
    if (own !== undefined) return { error: own.error };
    if (this.#stop.signal.aborted) return { error: this.#stop.signal.reason };
    return undefined;
  }

  #metrics(cleanUpStartMs: number): PlanMetrics {
    const endMs = this.#shared.clock.monotonicMs();
    const tasks = this.#tasks.map((task) => task.metrics());
    return {
      durationMs: endMs - this.#shared.startMs,
      cleanUpMs: endMs - cleanUpStartMs,
      tasks,
      criticalPath: findCriticalPath(this.#plan.nodes, tasks),
    };
  }
}

/** A reason with a code passes through, so that a caller can say why; anything else becomes the cause. */
function abortError(plan: string, reason: unknown): unknown {
  if (isBoxError(reason)) return reason;
  return new PipelineError({
    code: "PIPELINE_ABORTED",
    message: `plan ${plan} was stopped`,
    details: { plan },
    ...(reason === undefined ? {} : { cause: reason }),
  });
}
