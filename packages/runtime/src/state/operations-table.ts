import type { ErrorReport } from "@box/errors";
import type { ProcessIdentity } from "@box/io/node";
import type { PlanMetrics } from "@box/pipeline";
import { RuntimeError } from "../errors.ts";
import type { BoxEvent } from "../events.ts";
import {
  type OperationKind,
  type OperationState,
  type OperationSummary,
  operationKinds,
  operationStates,
} from "../operations/operation.ts";
import { Columns } from "./columns.ts";
import type { Row, StateDatabase } from "./database.ts";

/** What a new operation's record holds. */
export interface NewOperation {
  /** Its id. */
  readonly id: string;
  /** What it does. */
  readonly kind: OperationKind;
  /** The box. */
  readonly box: { readonly id: string; readonly name: string };
  /** Its trace. */
  readonly traceId: string;
  /** The process that carries it out. */
  readonly owner: ProcessIdentity;
  /** Now, in milliseconds since 1970. */
  readonly nowMs: number;
}

/** How an operation ended. */
export interface OperationEnd {
  /** Its last state. */
  readonly state: Exclude<OperationState, "running">;
  /** Now, in milliseconds since 1970. */
  readonly nowMs: number;
  /** Why it failed. */
  readonly error?: ErrorReport;
  /** Its figures. */
  readonly metrics?: PlanMetrics;
}

const keptOfBox = 100;
const keptOfRemovedBoxes = 200;

/** @throws RuntimeError `OPERATION_EXISTS`. */
export function insertOperation(database: StateDatabase, operation: NewOperation): void {
  if (findOperation(database, operation.id) !== undefined) {
    throw new RuntimeError({
      code: "OPERATION_EXISTS",
      message: `there is an operation ${operation.id} already`,
      details: { operation: operation.id },
    });
  }
  database.run(
    `INSERT INTO operations (id, kind, box_id, box_name, state, owner, trace_id, started_ms)
     VALUES (:id, :kind, :boxId, :boxName, 'running', :owner, :traceId, :now)`,
    {
      id: operation.id,
      kind: operation.kind,
      boxId: operation.box.id,
      boxName: operation.box.name,
      owner: JSON.stringify(operation.owner),
      traceId: operation.traceId,
      now: operation.nowMs,
    },
  );
}

/** Stores how an operation ended; one that has ended stays as it is. */
export function endOperation(database: StateDatabase, id: string, end: OperationEnd): void {
  database.run(
    `UPDATE operations SET state = :state, finished_ms = :now, error = :error, metrics = :metrics
     WHERE id = :id AND state = 'running'`,
    {
      id,
      state: end.state,
      now: end.nowMs,
      error: end.error === undefined ? null : JSON.stringify(end.error),
      metrics: end.metrics === undefined ? null : JSON.stringify(end.metrics),
    },
  );
}

/** An operation by its id. */
export function findOperation(database: StateDatabase, id: string): OperationSummary | undefined {
  const row = database.get("SELECT * FROM operations WHERE id = :id", { id });
  return row === undefined ? undefined : readOperation(row);
}

/**
 * Operations, the newest first; of one box when named.
 *
 * Here and below their order is the one in which they were stored: the clock may have gone back in between.
 */
export function listOperations(
  database: StateDatabase,
  options: { readonly boxId?: string; readonly limit: number },
): readonly OperationSummary[] {
  const { boxId, limit } = options;
  const rows =
    boxId === undefined
      ? database.all("SELECT * FROM operations ORDER BY rowid DESC LIMIT :limit", {
          limit,
        })
      : database.all(
          "SELECT * FROM operations WHERE box_id = :boxId ORDER BY rowid DESC LIMIT :limit",
          { boxId, limit },
        );
  return rows.map(readOperation);
}

/** Operations that have not ended, with the process that carries each out. */
export function listRunningOperations(
  database: StateDatabase,
): readonly { readonly id: string; readonly boxId: string; readonly owner: ProcessIdentity }[] {
  return database.all("SELECT * FROM operations WHERE state = 'running'").map((row) => {
    const columns = new Columns("operations", row);
    const owner = columns.json<ProcessIdentity>("owner");
    return { id: columns.text("id"), boxId: columns.text("box_id"), owner };
  });
}

/** Whether somebody is at a box, as far as the state knows. */
export function hasRunningOperation(database: StateDatabase, boxId: string): boolean {
  const sql = "SELECT 1 FROM operations WHERE box_id = :boxId AND state = 'running' LIMIT 1";
  return database.get(sql, { boxId }) !== undefined;
}

/** Removes old operations, their events too: all but the newest of each box, and of the boxes that are gone. */
export function trimOperations(database: StateDatabase, boxId: string): void {
  database.run(
    `DELETE FROM operations WHERE box_id = :boxId AND state <> 'running' AND id NOT IN
       (SELECT id FROM operations WHERE box_id = :boxId ORDER BY rowid DESC LIMIT ${keptOfBox})`,
    { boxId },
  );
  database.run(
    `DELETE FROM operations WHERE state <> 'running' AND box_id NOT IN (SELECT id FROM boxes) AND id NOT IN
       (SELECT id FROM operations WHERE box_id NOT IN (SELECT id FROM boxes)
        ORDER BY rowid DESC LIMIT ${keptOfRemovedBoxes})`,
  );
}

/** Stores events of one operation. */
export function insertEvents(database: StateDatabase, events: readonly BoxEvent[]): void {
  for (const event of events) {
    database.run(
      `INSERT INTO events (operation_id, sequence, box_id, type, time_ms, body)
       VALUES (:operation, :sequence, :boxId, :type, :time, :body)`,
      {
        operation: event.operation,
        sequence: event.sequence,
        boxId: event.box.id,
        type: event.type,
        time: event.timeMs,
        body: JSON.stringify(event),
      },
    );
  }
}

/** Stored events of an operation with a greater sequence number than `after`, in order. */
export function listEvents(
  database: StateDatabase,
  operation: string,
  after: number,
): readonly BoxEvent[] {
  return database
    .all(
      "SELECT body FROM events WHERE operation_id = :operation AND sequence > :after ORDER BY sequence",
      { operation, after },
    )
    .map(readEvent);
}

/** What happened to a box and its disks, and what warned or failed: the newest `limit` events, oldest first. */
export function listHistory(
  database: StateDatabase,
  boxId: string,
  limit: number,
): readonly BoxEvent[] {
  return database
    .all(
      `SELECT body FROM events JOIN operations ON operations.id = operation_id
       WHERE events.box_id = :boxId AND type IN ('overlay', 'change', 'warning', 'failed')
       ORDER BY operations.rowid DESC, sequence DESC LIMIT :limit`,
      { boxId, limit },
    )
    .map(readEvent)
    .reverse();
}

function readEvent(row: Row): BoxEvent {
  return new Columns("events", row).json<BoxEvent>("body");
}

function readOperation(row: Row): OperationSummary {
  const columns = new Columns("operations", row);
  const finishedMs = columns.optionalTime("finished_ms");
  const error = columns.optionalJson<ErrorReport>("error");
  const metrics = columns.optionalJson<PlanMetrics>("metrics");
  return {
    id: columns.text("id"),
    kind: columns.oneOf("kind", operationKinds),
    box: { id: columns.text("box_id"), name: columns.text("box_name") },
    state: columns.oneOf("state", operationStates),
    traceId: columns.text("trace_id"),
    startedAt: new Date(columns.time("started_ms")).toISOString(),
    ...(finishedMs === undefined ? {} : { finishedAt: new Date(finishedMs).toISOString() }),
    ...(error === undefined ? {} : { error }),
    ...(metrics === undefined ? {} : { metrics }),
  };
}
