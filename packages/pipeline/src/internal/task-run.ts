import { isBoxError, toErrorReport } from "@box/errors";
import { type Clock, pause } from "../clock.ts";
import { PipelineError } from "../errors.ts";
import type { OwnEvent, StandardEvent } from "../event.ts";
import type { TaskMetrics, TaskOutcome } from "../metrics.ts";
import type { Plan } from "../plan.ts";
import type { TaskFailure } from "../plan-result.ts";
import type { RetryPolicy, Task, TaskContext } from "../task.ts";
import { isAbort, runAttempt } from "./attempt.ts";
import { CleanUpStack } from "./clean-up-stack.ts";
import type { Emitter } from "./emitter.ts";
import type { PlanNode } from "./layout.ts";

/** What the tasks of one run share. */
export interface RunShared {
  readonly plan: Plan;
  readonly clock: Clock;
  readonly traceId: string;
  readonly emitter: Emitter;
  readonly values: Map<string, unknown>;
  readonly cleanUps: CleanUpStack;
  readonly signal: AbortSignal;
  readonly startMs: number;
}

const defaultGraceMs = 1000;
const defaultMaxDelayMs = 30_000;

/** One task in one run. */
export class TaskRun {
  readonly node: PlanNode;
  /** Its errors, once it has failed: first its own, then those of what was asked or told about it. */
  readonly failures: TaskFailure[] = [];
  readonly #task: Task;
  readonly #spanId: string;
  readonly #shared: RunShared;
  #outcome: TaskOutcome = "not-started";
  #cached = false;
  #attempts = 0;
  #startMs = 0;
  #durationMs = 0;

  constructor(node: PlanNode, spanId: string, shared: RunShared) {
    this.node = node;
    this.#task = node.task;
    this.#spanId = spanId;
    this.#shared = shared;
  }

  /** Runs it through all its attempts; the result says whether its values are there. Never rejects. */
  async run(): Promise<boolean> {
    try {
      return await this.#run();
    } catch (error) {
      // Nothing that it is told by, such as the clock, may keep the run from its end.
      this.#outcome = "failed";
      const whileStopping = this.#shared.signal.aborted;
      this.failures.push({ task: this.#task.name, error, whileStopping });
      return false;
    }
  }

  async #run(): Promise<boolean> {
    const { clock, startMs, signal } = this.#shared;
    const begun = clock.monotonicMs();
    this.#startMs = begun - startMs;
    this.#emit({ type: "started" });
    try {
      await this.#runAttempts();
      this.#end("finished", begun);
      return true;
    } catch (error) {
      if (isAbort(error, signal)) {
        this.#end("cancelled", begun);
      } else {
        this.#keepFailure(error);
        this.#end("failed", begun, error);
      }
      return false;
    }
  }

  #keepFailure(error: unknown): void {
    const whileStopping = this.#shared.signal.aborted;
    // The task's own error comes first, although that of its retry policy is known before.
    this.failures.unshift({ task: this.#task.name, error, whileStopping });
  }

  /** Tells that it never began. */
  endIfNotStarted(): void {
    if (this.#outcome === "not-started") {
      this.#emit({ type: "cancelled", started: false, durationMs: 0 });
    }
  }

  /** Its figures. */
  metrics(): TaskMetrics {
    return {
      task: this.#task.name,
      outcome: this.#outcome,
      cached: this.#cached,
      attempts: this.#attempts,
      startMs: this.#startMs,
      durationMs: this.#durationMs,
    };
  }

  async #runAttempts(): Promise<void> {
    const inputs = this.#takeInputs();
    for (;;) {
      this.#attempts += 1;
      const cleanUps = new CleanUpStack();
      try {
        const outputs = await this.#attempt(inputs, cleanUps);
        this.#keepOutputs(outputs);
        this.#shared.cleanUps.take(cleanUps);
        return;
      } catch (error) {
        const delayMs = this.#shared.signal.aborted ? undefined : this.#retryDelayMs(error);
        if (delayMs === undefined) {
          this.#shared.cleanUps.take(cleanUps);
          throw error;
        }
        await cleanUps.runAll({ ok: false, error });
        this.#shared.cleanUps.take(cleanUps);
        const report = toErrorReport(error);
        this.#emit({ type: "retried", attempt: this.#attempts, delayMs, error: report });
        await sleep(delayMs, this.#shared);
      }
    }
  }

  #attempt(inputs: Readonly<Record<string, unknown>>, cleanUps: CleanUpStack): Promise<unknown> {
    const { clock, signal } = this.#shared;
    const { name, timeoutMs, graceMs = defaultGraceMs } = this.#task;
    const options = { task: name, clock, signal, timeoutMs, graceMs };
    return runAttempt(
      (own) => this.#task.run(inputs, this.#context(own, cleanUps, this.#attempts)),
      options,
    );
  }

  #context(signal: AbortSignal, cleanUps: CleanUpStack, attempt: number): TaskContext<OwnEvent> {
    const emit = (event: StandardEvent | OwnEvent) => {
      // A task that the run gave up on, or an earlier attempt of it, has nothing more to say.
      if (this.#outcome === "not-started" && attempt === this.#attempts) this.#emit(event);
    };
    const withDetails = (
      message: string,
      details: Readonly<Record<string, unknown>> | undefined,
    ) => (details === undefined ? { message } : { message, details });
    return {
      signal,
      attempt,
      trace: { traceId: this.#shared.traceId, spanId: this.#spanId },
      progress: (event) => emit({ ...event, type: "progress" }),
      info: (message, details) => emit({ type: "info", ...withDetails(message, details) }),
      warn: (event) => emit({ ...event, type: "warning" }),
      cached: (message, details) => {
        this.#cached = true;
        emit({ type: "cached", ...withDetails(message, details) });
      },
      emit,
      defer: (cleanUp) => cleanUps.add(cleanUp, false),
      undo: (cleanUp) => cleanUps.add(cleanUp, true),
    };
  }

  #takeInputs(): Readonly<Record<string, unknown>> {
    const { values, plan } = this.#shared;
    for (const need of this.#task.needs) {
      if (values.has(need.name)) continue;
      const provider = plan.nodes.find(({ task }) =>
        task.provides.some(({ name }) => name === need.name),
      );
      const from = provider?.task.label ?? need.from ?? need.name;
      throw new PipelineError({
        code: "PIPELINE_MISSING_INPUT",
        message: `${from} task must run first`,
        details: { plan: plan.name, task: this.#task.name, key: need.name },
        hint: `give the plan a task that provides ${need.name}, before ${this.#task.name}`,
      });
    }
    return Object.fromEntries(this.#task.needs.map(({ name }) => [name, values.get(name)]));
  }

  #keepOutputs(outputs: unknown): void {
    const given = (outputs ?? {}) as Readonly<Record<string, unknown>>;
    for (const { name } of this.#task.provides) {
      if (Object.hasOwn(given, name)) continue;
      throw new PipelineError({
        code: "PIPELINE_MISSING_OUTPUT",
        message: `task ${this.#task.name} did not return ${name}, which it says it provides`,
        details: { task: this.#task.name, key: name },
      });
    }
    for (const { name } of this.#task.provides) this.#shared.values.set(name, given[name]);
  }

  #retryDelayMs(error: unknown): number | undefined {
    const policy = this.#task.retry;
    if (policy === undefined || this.#attempts >= policy.attempts) return undefined;
    try {
      if (!(policy.when ?? isWorthRetrying)(error)) return undefined;
    } catch (whenError) {
      this.#keepFailure(whenError);
      return undefined;
    }
    return delayBefore(policy, this.#attempts);
  }

  #end(outcome: TaskOutcome, begun: number, error?: unknown): void {
    const attempts = this.#attempts;
    const durationMs = this.#shared.clock.monotonicMs() - begun;
    this.#outcome = outcome;
    this.#durationMs = durationMs;
    if (outcome === "finished") this.#emit({ type: "finished", durationMs, attempts });
    else if (outcome === "cancelled") this.#emit({ type: "cancelled", started: true, durationMs });
    else this.#emit({ type: "failed", durationMs, attempts, error: toErrorReport(error) });
  }

  #emit(event: StandardEvent | OwnEvent): void {
    this.#shared.emitter.emit({ name: this.#task.name, spanId: this.#spanId }, event);
  }
}

function isWorthRetrying(error: unknown): boolean {
  return isBoxError(error) && (error.retryable || error.code === "PIPELINE_TASK_TIMEOUT");
}

function delayBefore(policy: RetryPolicy, failedAttempts: number): number {
  const { delayMs = 0, factor = 2, maxDelayMs = defaultMaxDelayMs } = policy;
  return Math.min(maxDelayMs, delayMs * factor ** (failedAttempts - 1));
}

async function sleep(delayMs: number, { clock, signal }: RunShared): Promise<void> {
  if (delayMs <= 0) return;
  await pause(clock, delayMs, signal);
  if (signal.aborted) throw signal.reason;
}
