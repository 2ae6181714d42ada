import { BoxError, type ErrorKind } from "@box/errors";

/** Why a plan was refused or stopped by the pipeline itself; errors of tasks pass through unchanged. */
export type PipelineErrorCode =
  | "PIPELINE_MISSING_INPUT" // usage
  | "PIPELINE_MISSING_OUTPUT" // internal
  | "PIPELINE_INVALID_PLAN" // usage
  | "PIPELINE_TASK_TIMEOUT" // timeout
  | "PIPELINE_ABORTED"; // aborted

/** The kind of each code. */
export const pipelineErrorKinds: Readonly<Record<PipelineErrorCode, ErrorKind>> = {
  PIPELINE_MISSING_INPUT: "usage",
  PIPELINE_MISSING_OUTPUT: "internal",
  PIPELINE_INVALID_PLAN: "usage",
  PIPELINE_TASK_TIMEOUT: "timeout",
  PIPELINE_ABORTED: "aborted",
};

/** What a {@link PipelineError} is made from. */
export interface PipelineErrorOptions {
  /** The failure's stable name. */
  readonly code: PipelineErrorCode;
  /** One sentence for a person. */
  readonly message: string;
  /** Facts: `plan`, `task`, `key`. */
  readonly details?: Readonly<Record<string, unknown>>;
  /** What to do next. */
  readonly hint?: string;
  /** The lower-level error, when there is one. */
  readonly cause?: unknown;
}

/** A plan that is wrong in itself, or was stopped from outside. */
export class PipelineError extends BoxError<PipelineErrorCode> {
  constructor(options: PipelineErrorOptions) {
    super({ ...options, kind: pipelineErrorKinds[options.code] });
  }
}
