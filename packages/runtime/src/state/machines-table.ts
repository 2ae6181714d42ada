import type { ProcessIdentity } from "@box/io/node";
import { type MachineExit, type MachineRecord, parseMachineRecord } from "@box/vm";
import { Columns } from "./columns.ts";
import type { StateDatabase } from "./database.ts";

/** The machine of a box that is starting, running or stopping. */
export interface BoxMachine {
  /** The process that began to start it. */
  readonly starter: ProcessIdentity;
  /** How to find it; absent as long as its process was not started. */
  readonly record?: MachineRecord;
}

/** Stores that a process begins to start the machine of a box. */
export function beginMachine(
  database: StateDatabase,
  boxId: string,
  starter: ProcessIdentity,
): void {
  database.run(
    "INSERT OR REPLACE INTO machines (box_id, starter, record) VALUES (:boxId, :starter, NULL)",
    { boxId, starter: JSON.stringify(starter) },
  );
}

/** Stores how to find the machine of a box, now that its process is there. */
export function putMachine(database: StateDatabase, boxId: string, record: MachineRecord): void {
  database.run("UPDATE machines SET record = :record WHERE box_id = :boxId", {
    boxId,
    record: JSON.stringify(record),
  });
}

/** Forgets the machine of a box: it has ended. */
export function deleteMachine(database: StateDatabase, boxId: string): void {
  database.run("DELETE FROM machines WHERE box_id = :boxId", { boxId });
}

/** The machine of a box, when it has one. @throws VmError `VM_RECORD_INVALID`. */
export function getMachine(database: StateDatabase, boxId: string): BoxMachine | undefined {
  const row = database.get("SELECT * FROM machines WHERE box_id = :boxId", { boxId });
  if (row === undefined) return undefined;
  const columns = new Columns("machines", row);
  const record = columns.optionalJson("record");
  return {
    starter: columns.json<ProcessIdentity>("starter"),
    ...(record === undefined ? {} : { record: parseMachineRecord(record) }),
  };
}

/** Stores how the machine of a box ended. */
export function setExit(database: StateDatabase, boxId: string, exit: MachineExit): void {
  database.run("UPDATE boxes SET last_exit = :exit WHERE id = :boxId", {
    boxId,
    exit: JSON.stringify(exit),
  });
}

/** Stores whether somebody wants the box to stay stopped. */
export function setStopRequested(
  database: StateDatabase,
  boxId: string,
  isRequested: boolean,
): void {
  database.run("UPDATE boxes SET stop_requested = :requested WHERE id = :boxId", {
    boxId,
    requested: isRequested ? 1 : 0,
  });
}

/** Stores how often in a row the box was started again by its restart policy. */
export function setRestarts(database: StateDatabase, boxId: string, restarts: number): void {
  database.run("UPDATE boxes SET restarts = :restarts WHERE id = :boxId", { boxId, restarts });
}
