import {
  definePlan,
  defineTask,
  type IdSource,
  ownEvents,
  settlePlan,
  type TaskContext,
  type TraceContext,
} from "@box/pipeline";
import type { Engine } from "@box/vm";
import type { BoxOwnEvent } from "../events.ts";
import { hostIds } from "../host-sources.ts";
import type { InitServices } from "../init/services.ts";
import type { MachineHandles } from "../machines/machine-handles.ts";
import {
  type OperationOptions,
  type OperationServices,
  type OperationWork,
  runOperation,
} from "../operations/run-operation.ts";
import type { StateDatabase } from "../state/database.ts";

/** What operations on boxes work with. */
export interface BoxServices extends InitServices, OperationServices {
  /** What runs machines, when there is something. */
  readonly engine: Engine | undefined;
  /** Handles on machines that this runtime has reached. */
  readonly handles: MachineHandles;
}

type Ends = OperationWork<never>;

/** Work that is recorded as an operation of a box. */
export interface RecordedWork<Result> {
  /** Names the operation and its plan. */
  readonly kind: Ends["kind"];
  /** Stored with the operation's beginning; what it throws leaves nothing behind. */
  readonly begin?: Ends["begin"];
  /** Does the work. */
  run(context: TaskContext<BoxOwnEvent>): Promise<Result>;
  /** Stored with the operation's success. */
  readonly succeed?: (database: StateDatabase, result: Result) => void;
  /** Puts right what can be when it failed. */
  readonly recover?: (error: unknown) => Promise<void>;
  /** Stored with the operation's failure. */
  readonly fail?: Ends["fail"];
}

/** A change that is told to stop may have to finish a sync first. */
export const changeGraceMs = 30_000;

/** Carries out a change as an operation of a box whose lock the caller holds. */
export async function runChange<Result>(
  services: BoxServices,
  box: { readonly id: string; readonly name: string },
  change: RecordedWork<Result>,
  options: OperationOptions,
): Promise<{ readonly operation: string; readonly result: Result }> {
  const work = workOf(services, change.kind, box, options);
  const results: Result[] = [];
  const task = defineTask({
    name: `box_${change.kind}`,
    label: change.kind,
    graceMs: changeGraceMs,
    events: ownEvents<BoxOwnEvent>(),
    run: async (_, context) => {
      results.push(await change.run(context));
    },
  });
  const plan = definePlan({ name: change.kind }).stage([task]);
  const { clock } = services;
  await runOperation(services, {
    ...work,
    begin: change.begin ?? (() => {}),
    run: (onEvent) => settlePlan(plan, { ...settingsOf(work, options), clock, onEvent }),
    succeed: (database) => change.succeed?.(database, results[0] as Result),
    ...(change.recover === undefined ? {} : { recover: change.recover }),
    fail: change.fail ?? (() => {}),
  });
  return { operation: work.id, result: results[0] as Result };
}

/** What names and traces an operation. */
export function workOf(
  services: Pick<InitServices, "newId">,
  kind: Ends["kind"],
  { id, name }: { readonly id: string; readonly name: string },
  options: OperationOptions,
): Pick<Ends, "id" | "kind" | "box" | "trace" | "onEvent"> {
  const trace: TraceContext = options.trace ?? {
    traceId: hostIds.traceId(),
    spanId: hostIds.spanId(),
  };
  const operation = options.operation ?? services.newId();
  return { id: operation, kind, box: { id, name }, trace, onEvent: options.onEvent };
}

/** What a plan of an operation runs with. */
export function settingsOf(
  work: { readonly trace: TraceContext },
  { signal }: OperationOptions,
): { readonly trace: TraceContext; readonly ids: IdSource; readonly signal?: AbortSignal } {
  return { trace: work.trace, ids: hostIds, ...(signal === undefined ? {} : { signal }) };
}
