import { kindOf, toErrorReport } from "@box/errors";
import { processIdentity } from "@box/io/node";
import type {
  AnyKey,
  Clock,
  PipelineEvent,
  PlanMetrics,
  PlanResult,
  PlanSuccess,
  TraceContext,
} from "@box/pipeline";
import type { BoxEvent, BoxOwnEvent } from "../events.ts";
import type { StateDatabase } from "../state/database.ts";
import {
  endOperation,
  insertOperation,
  type OperationEnd,
  trimOperations,
} from "../state/operations-table.ts";
import type { StateStore } from "../state/state-store.ts";
import type { OperationKind } from "./operation.ts";

/** What every operation on a box takes. */
export interface OperationOptions {
  /** Stops it; what it did so far is put right before the call throws. */
  readonly signal?: AbortSignal;
  /** Hears its events as they happen. */
  readonly onEvent?: (event: BoxEvent) => void;
  /** Its id, when the caller has told it to somebody already; a new one unless given. */
  readonly operation?: string;
  /** Where its trace hangs; a new trace unless given. */
  readonly trace?: TraceContext;
}

/** What an operation is made of. */
export interface OperationWork<Values extends AnyKey> {
  readonly id: string;
  readonly kind: OperationKind;
  readonly box: { readonly id: string; readonly name: string };
  readonly trace: TraceContext;
  readonly onEvent?: ((event: BoxEvent) => void) | undefined;
  /** Stored in one transaction with the operation's beginning; what it throws leaves nothing behind. */
  begin(database: StateDatabase): void;
  /** Does the work. */
  run(onEvent: (event: PipelineEvent<BoxOwnEvent>) => void): Promise<PlanResult<Values>>;
  /** Stored in one transaction with the operation's success. */
  succeed(database: StateDatabase): void;
  /** Puts right what can be; called when the work failed. */
  recover?(error: unknown): Promise<void>;
  /** Stored in one transaction with the operation's failure. */
  fail(database: StateDatabase, error: unknown): void;
}

/** What operations write to. */
export interface OperationServices {
  readonly state: StateStore;
  readonly clock: Clock;
  /** Told that an operation has new events or has ended. */
  notify(operation: string): void;
}

/**
 * Carries out an operation: its record, its events and its end are stored with what it did to the box.
 *
 * @throws The leading error of the work, unchanged.
 */
export async function runOperation<Values extends AnyKey>(
  services: OperationServices,
  work: OperationWork<Values>,
): Promise<PlanSuccess<Values>> {
  const { state, clock, notify } = services;
  const { id, kind, box, trace } = work;
  state.transaction((database) => {
    work.begin(database);
    const owner = processIdentity();
    const { traceId } = trace;
    insertOperation(database, { id, kind, box, traceId, owner, nowMs: clock.now() });
  });
  try {
    const result = await work.run((event) => {
      const stamped: BoxEvent = { ...event, operation: id, box };
      state.add(stamped);
      notify(id);
      work.onEvent?.(stamped);
    });
    if (!result.ok) throw await fail(services, work, result);
    succeed(services, work, result);
    return result;
  } finally {
    notify(id);
  }
}

function succeed<Values extends AnyKey>(
  { state, clock }: OperationServices,
  work: OperationWork<Values>,
  { metrics }: PlanSuccess<Values>,
): void {
  try {
    state.transaction((database) => {
      work.succeed(database);
      endOperation(database, work.id, { state: "succeeded", nowMs: clock.now(), metrics });
      trimOperations(database, work.box.id);
    });
  } catch (error) {
    // What it did stays: whether the success was stored after all is not known. Whoever looks at the box next puts it right.
    state.owe(work.id, endOf(error, metrics, clock));
    throw error;
  }
}

/** @returns The error to throw. */
async function fail<Values extends AnyKey>(
  { state, clock }: OperationServices,
  work: OperationWork<Values>,
  { error, metrics }: Extract<PlanResult<Values>, { readonly ok: false }>,
): Promise<unknown> {
  let isPutRight = true;
  try {
    await work.recover?.(error);
  } catch {
    // The first error is the one to tell. The box stays on record, so that its rest is found and taken away later.
    isPutRight = false;
  }
  const end = endOf(error, metrics, clock);
  try {
    state.transaction((database) => {
      if (isPutRight) work.fail(database, error);
      endOperation(database, work.id, end);
      trimOperations(database, work.box.id);
    });
  } catch {
    state.owe(work.id, end);
  }
  return error;
}

function endOf(error: unknown, metrics: PlanMetrics, clock: Clock): OperationEnd {
  const state = kindOf(error) === "aborted" ? "cancelled" : "failed";
  return { state, nowMs: clock.now(), error: toErrorReport(error), metrics };
}
