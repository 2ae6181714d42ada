import type { Clock } from "./clock.ts";
import type { OwnEvent, PipelineEvent } from "./event.ts";
import type { AnyKey, ValuesOf } from "./key.ts";
import type { IdSource, TraceContext } from "./trace.ts";

/** What every run takes besides its inputs. */
export interface RunSettings<Own extends OwnEvent> {
  /** Stops the run: tasks are told, clean-ups run, the run fails. */
  readonly signal?: AbortSignal;
  /** Hears every event, in order. What it throws is kept in the result and stops nothing. */
  readonly onEvent?: (event: PipelineEvent<Own>) => void;
  /** Where the run's spans hang; a new trace by default. */
  readonly trace?: TraceContext | undefined;
  /** Where time comes from; the machine's clock by default. */
  readonly clock?: Clock;
  /** Where ids come from; random by default. */
  readonly ids?: IdSource;
}

/** The part of the options that holds the inputs; they may be left out when the plan has none, or is dynamic. */
export type InputsOption<Inputs extends AnyKey> = [Inputs] extends [never]
  ? { readonly inputs?: Readonly<Record<string, never>> }
  : string extends Inputs["name"]
    ? { readonly inputs?: Readonly<Record<string, unknown>> }
    : { readonly inputs: ValuesOf<Inputs> };

/** Options of `runPlan` and `settlePlan`. */
export type RunPlanOptions<Inputs extends AnyKey, Own extends OwnEvent> = RunSettings<Own> &
  InputsOption<Inputs>;

/** Lets options be left out where nothing in them is required. */
export type RunPlanArguments<Inputs extends AnyKey, Own extends OwnEvent> =
  Record<never, never> extends InputsOption<Inputs>
    ? [options?: RunPlanOptions<Inputs, Own>]
    : [options: RunPlanOptions<Inputs, Own>];
