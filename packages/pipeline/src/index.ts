export { type Clock, pause, systemClock } from "./clock.ts";
export { describe, type PlanDescription, type TaskDescription, toMermaid } from "./describe.ts";
export {
  PipelineError,
  type PipelineErrorCode,
  type PipelineErrorOptions,
  pipelineErrorKinds,
} from "./errors.ts";
export type {
  CachedEvent,
  CancelledEvent,
  EventStamp,
  FailedEvent,
  FinishedEvent,
  InfoEvent,
  OwnEvent,
  PipelineEvent,
  ProgressEvent,
  RetriedEvent,
  StandardEvent,
  StartedEvent,
  WarningEvent,
} from "./event.ts";
export type { PlanNode } from "./internal/layout.ts";
export { type AnyKey, type Key, type KeyOptions, key, type ValuesOf } from "./key.ts";
export type { PlanMetrics, TaskMetrics, TaskOutcome } from "./metrics.ts";
export { type Once, type OnceOptions, once } from "./once.ts";
export {
  type DynamicPlanOptions,
  defineGraph,
  definePlan,
  dynamicPlan,
  type GraphOptions,
  type OnFailure,
  type Plan,
  type PlanOptions,
  type StagedPlan,
  type StageOptions,
} from "./plan.ts";
export type { PlanFailure, PlanResult, PlanSuccess, TaskFailure } from "./plan-result.ts";
export { runPlan, runTask, settlePlan } from "./run-plan.ts";
export type {
  InputsOption,
  RunPlanArguments,
  RunPlanOptions,
  RunSettings,
} from "./run-settings.ts";
export {
  type CleanUp,
  defineTask,
  type Outcome,
  type OutputsOf,
  type OwnEvents,
  ownEvents,
  type RetryPolicy,
  type Task,
  type TaskContext,
  type TaskDefinition,
} from "./task.ts";
export type {
  InOrder,
  KeysOf,
  MissingInput,
  MissingNames,
  NeedsMet,
  OwnOf,
  TaskList,
} from "./task-order.ts";
export { type IdSource, randomIds, type TraceContext } from "./trace.ts";
