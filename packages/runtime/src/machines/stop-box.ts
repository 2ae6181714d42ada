import { type Engine, isMachineAlive, type MachineExit, type StopReport } from "@box/vm";
import type { BoxRecord } from "../boxes/box.ts";
import { lockFor } from "../boxes/box-work.ts";
import { summarizeBox } from "../boxes/describe-box.ts";
import { type BoxServices, type RecordedWork, runChange } from "../boxes/recorded-work.ts";
import { removeIdleBox } from "../boxes/remove-box.ts";
import { checkMove } from "../boxes/states.ts";
import { moveBox, requireBox } from "../state/boxes-table.ts";
import type { StateDatabase } from "../state/database.ts";
import { deleteMachine, getMachine, setExit, setStopRequested } from "../state/machines-table.ts";
import { endMachine, stoppedEvent } from "./end-machine.ts";
import type { StopBoxOptions, StoppedBox } from "./machine-options.ts";
import { requireEngine } from "./require-engine.ts";
import { clearRunFolder } from "./run-folder.ts";
import { settleBox } from "./settle-box.ts";
import { stopSignalOf } from "./stop-signal.ts";

/**
 * Stops a box, and removes it when it is to go away then. One that does not run is no failure: that it is to stay
 * stopped is recorded all the same.
 *
 * @throws RuntimeError `BOX_ENGINE_MISSING`, `BOX_NOT_FOUND`, `BOX_IN_USE`; VmError `VM_STOP_FAILED`.
 */
export async function stopBox(
  services: BoxServices,
  nameOrId: string,
  options: StopBoxOptions,
): Promise<StoppedBox> {
  const engine = requireEngine(services.engine);
  const { database } = services.state;
  const found = requireBox(database, nameOrId);
  await using _lock = await lockFor(services, found, "stopping", options);
  await settleBox(services, found.id);
  const box = requireBox(database, found.id);
  // Refuses a box that is being created or removed.
  checkMove(box.name, box.state, box.state === "running" ? "stopping" : "failed");
  const work = box.state === "running" ? stopping(services, engine, box, options) : idling(box);
  const { operation, result } = await runChange(services, box, work, options);
  const stopped = requireBox(database, box.id);
  if (result !== undefined) {
    await forgetMachine(services, box.id, result.id);
    if (box.autoRemove) await removeIdleBox(services, stopped, {});
  }
  const { exit } = stopped;
  return {
    box: summarizeBox(stopped),
    operation,
    step: result?.report.step ?? "already",
    ...(exit === undefined ? {} : { exit }),
  };
}

/** What stopping a running box did. */
interface Stopped {
  /** The machine. */
  readonly id: string;
  readonly report: StopReport;
}

function idling({ id, name }: BoxRecord): RecordedWork<Stopped | undefined> {
  return {
    kind: "stop",
    begin: (database) => setStopRequested(database, id, true),
    run: async (context) => {
      context.info(`box ${name} does not run`);
      return undefined;
    },
  };
}

function stopping(
  services: BoxServices,
  engine: Engine,
  box: BoxRecord,
  { graceMs }: StopBoxOptions,
): RecordedWork<Stopped | undefined> {
  const nowMs = () => services.clock.now();
  const { id, name } = box;
  const record = getMachine(services.state.database, id)?.record;
  const stopSignal = stopSignalOf(box);
  return {
    kind: "stop",
    begin: (database) => {
      moveBox(database, id, "stopping", { nowMs: nowMs() });
      setStopRequested(database, id, true);
    },
    run: async (context) => {
      if (record === undefined) throw new Error(`box ${name} runs without a machine`);
      const grace = graceMs === undefined ? {} : { graceMs };
      const { signal } = context;
      const report = await endMachine(services, engine, record, { signal, stopSignal, ...grace });
      context.emit(stoppedEvent(name, report));
      return { id: record.id, report };
    },
    succeed: (database, stopped) => {
      if (stopped !== undefined) recordEnd(database, id, stopped.report.exit, nowMs());
    },
    fail: (database) => {
      const isAlive = record !== undefined && isMachineAlive(record);
      if (!isAlive) return recordEnd(database, id, { reason: "lost" }, nowMs());
      moveBox(database, id, "running", { nowMs: nowMs() });
      setStopRequested(database, id, false);
    },
  };
}

/** Stores that the machine of a box has ended. */
export function recordEnd(
  database: StateDatabase,
  boxId: string,
  exit: MachineExit,
  nowMs: number,
): void {
  moveBox(database, boxId, "stopped", { nowMs });
  setExit(database, boxId, exit);
  deleteMachine(database, boxId);
}

/** Clears what a machine that has ended left behind. */
export async function forgetMachine(
  { handles, home }: BoxServices,
  boxId: string,
  machineId: string,
): Promise<void> {
  await handles.drop(machineId);
  await clearRunFolder(home, boxId);
}
