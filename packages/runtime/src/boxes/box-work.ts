import type { Lock } from "@box/io/node";
import {
  definePlan,
  defineTask,
  ownEvents,
  randomIds,
  settlePlan,
  type TaskContext,
  type TraceContext,
} from "@box/pipeline";
import { RuntimeError } from "../errors.ts";
import type { BoxOwnEvent } from "../events.ts";
import type { InitServices } from "../init/services.ts";
import {
  type OperationOptions,
  type OperationServices,
  type OperationWork,
  runOperation,
} from "../operations/run-operation.ts";
import { requireBox } from "../state/boxes-table.ts";
import type { StateDatabase } from "../state/database.ts";
import type { BoxRecord } from "./box.ts";
import { lockBox } from "./box-lock.ts";
import type { LockOptions } from "./box-options.ts";
import { checkDisksUnused } from "./removal-plan.ts";
import { checkMove, isInUse } from "./states.ts";

/** What operations on boxes work with. */
export interface BoxServices extends InitServices, OperationServices {}

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

/** A change of one box that is there. */
export interface BoxChange<Result> extends Omit<RecordedWork<Result>, "run"> {
  /** What this process does, for those who wait for it. */
  readonly doing: string;
  /** Whether a disk of the box is read or written: nothing else may have one open then. */
  readonly usesDisks: boolean;
  /** Does the work. */
  run(box: BoxRecord, context: TaskContext<BoxOwnEvent>): Promise<Result>;
}

const defaultLockTimeoutMs = 30_000;
/** A change that is told to stop may have to finish a sync first. */
const changeGraceMs = 30_000;

/**
 * Carries out a change of a box as an operation, under the box's lock.
 *
 * @throws RuntimeError `BOX_NOT_FOUND`, `BOX_IN_USE`, `BOX_STATE_ILLEGAL`; what the change throws.
 */
export async function changeBox<Result>(
  services: BoxServices,
  nameOrId: string,
  change: BoxChange<Result>,
  options: OperationOptions & LockOptions,
): Promise<{ readonly box: BoxRecord; readonly operation: string; readonly result: Result }> {
  const found = requireBox(services.state.database, nameOrId);
  await using _lock = await lockFor(services, found, change.doing, options);
  const box = requireIdle(services, found);
  // Refuses a box that is being created or removed.
  checkMove(box.name, box.state, "failed");
  if (change.usesDisks) await checkDisksUnused(services.home, box);
  const run = (context: TaskContext<BoxOwnEvent>) => change.run(box, context);
  const { operation, result } = await runChange(services, box, { ...change, run }, options);
  return { box, operation, result };
}

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
    traceId: randomIds.traceId(),
    spanId: randomIds.spanId(),
  };
  const operation = options.operation ?? services.newId();
  return { id: operation, kind, box: { id, name }, trace, onEvent: options.onEvent };
}

/** What a plan of an operation runs with. */
export function settingsOf(
  work: { readonly trace: TraceContext },
  { signal }: OperationOptions,
): { readonly trace: TraceContext; readonly signal?: AbortSignal } {
  return { trace: work.trace, ...(signal === undefined ? {} : { signal }) };
}

/** Takes the lock of a box. @throws RuntimeError `BOX_IN_USE`. */
export function lockFor(
  { home }: Pick<InitServices, "home">,
  box: BoxRecord,
  doing: string,
  options: LockOptions & OperationOptions,
): Promise<Lock> {
  return lockBox(home, box, {
    command: `${doing} ${box.name}`,
    timeoutMs: options.lockTimeoutMs ?? defaultLockTimeoutMs,
    signal: options.signal,
  });
}

/** The box as it is now that its lock is held. @throws RuntimeError `BOX_NOT_FOUND`, `BOX_IN_USE`. */
export function requireIdle({ state }: Pick<InitServices, "state">, found: BoxRecord): BoxRecord {
  const box = requireBox(state.database, found.id);
  if (!isInUse(box.state)) return box;
  throw new RuntimeError({
    code: "BOX_IN_USE",
    message: `box ${box.name} is ${box.state}`,
    details: { name: box.name, state: box.state },
    hint: "stop it first",
  });
}
