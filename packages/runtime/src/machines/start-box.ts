import { kindOf, toErrorReport } from "@box/errors";
import { processIdentity } from "@box/io/node";
import { type PlanSuccess, settlePlan } from "@box/pipeline";
import { type Engine, isMachineAlive, type MachineRecord } from "@box/vm";
import type { BoxRecord } from "../boxes/box.ts";
import { lockFor } from "../boxes/box-work.ts";
import { describeBox } from "../boxes/describe-box.ts";
import { settingsOf, workOf } from "../boxes/recorded-work.ts";
import { checkMove } from "../boxes/states.ts";
import { RuntimeError } from "../errors.ts";
import { boxLayout } from "../home/layout.ts";
import type { InitPolicy } from "../init/keys.ts";
import { type OperationWork, runOperation } from "../operations/run-operation.ts";
import { moveBox, requireBox } from "../state/boxes-table.ts";
import type { StateDatabase } from "../state/database.ts";
import {
  beginMachine,
  deleteMachine,
  getMachine,
  setRestarts,
  setStopRequested,
} from "../state/machines-table.ts";
import type { RestartBoxOptions, StartBoxOptions, StartedBox } from "./machine-options.ts";
import { requireEngine } from "./require-engine.ts";
import { settleBox } from "./settle-box.ts";
import {
  type AttachValues,
  attachPlan,
  restartPlan,
  type StartServices,
  type StartValues,
  startPlan,
} from "./start-plan.ts";
import { recordEnd } from "./stop-box.ts";

/**
 * Starts a box: its disks are judged first, then its machine is started and its guest made ready. One that runs is reached.
 * When it fails, what this run made is gone, its machine too; kept disks stay.
 *
 * @throws RuntimeError `BOX_ENGINE_MISSING`, `BOX_NOT_FOUND`, `BOX_IN_USE`, `BOX_MACHINE_ORPHANED`; RootfsError `OVERLAY_*`; VmError.
 */
export async function startBox(
  services: StartServices,
  nameOrId: string,
  options: StartBoxOptions,
): Promise<StartedBox> {
  const engine = requireEngine(services.engine);
  const found = requireBox(services.state.database, nameOrId);
  await using _lock = await lockFor(services, found, "starting", options);
  const box = await settled(services, found.id);
  // Awaited here: the lock is given back when this returns.
  return box.state === "running"
    ? await attach(services, engine, box, options)
    : await start(services, engine, box, options);
}

/** Stops a box when it runs, and starts it, as one operation. It never goes away in between. */
export async function restartBox(
  services: StartServices,
  nameOrId: string,
  options: RestartBoxOptions,
): Promise<StartedBox> {
  const engine = requireEngine(services.engine);
  const found = requireBox(services.state.database, nameOrId);
  await using _lock = await lockFor(services, found, "restarting", options);
  const box = await settled(services, found.id);
  return await start(services, engine, box, { ...options, isRestart: true });
}

async function settled(services: StartServices, id: string): Promise<BoxRecord> {
  await settleBox(services, id);
  return requireBox(services.state.database, id);
}

async function start(
  services: StartServices,
  engine: Engine,
  box: BoxRecord,
  options: RestartBoxOptions & { readonly isRestart?: boolean },
): Promise<StartedBox> {
  const { clock } = services;
  const { id } = box;
  const { isRestart = false, recreateDisk = false, restarts = 0, graceMs } = options;
  const { lifetime, bootsAlways } = options;
  const isRunning = box.state === "running";
  checkMove(box.name, box.state, isRunning ? "stopping" : "starting");
  if (!isRunning) await refuseOrphan(services, engine, box);
  const policy: InitPolicy = { recreateDisk, pull: "missing" };
  const plan = isRunning
    ? restartPlan(services, engine, { graceMs, bootsAlways })
    : startPlan(services, engine, { lifetime, bootsAlways });
  const work = workOf(services, isRestart ? "restart" : "start", box, options);
  const done = await runOperation<StartValues>(services, {
    ...work,
    begin: (database) => {
      moveBox(database, id, isRunning ? "stopping" : "starting", { nowMs: clock.now() });
      if (!isRunning) beginMachine(database, id, processIdentity());
      setStopRequested(database, id, false);
      setRestarts(database, id, restarts);
    },
    run: (onEvent) =>
      settlePlan(plan, {
        ...settingsOf(work, options),
        clock,
        onEvent,
        inputs: { box, policy },
      }),
    succeed: (database) => moveBox(database, id, "running", { nowMs: clock.now() }),
    fail: (database, error) => recordFailure(services, database, box, error),
  });
  return result(services, work, done, "started");
}

async function attach(
  services: StartServices,
  engine: Engine,
  box: BoxRecord,
  options: StartBoxOptions,
): Promise<StartedBox> {
  const work = workOf(services, "start", box, options);
  const { clock } = services;
  const done = await runOperation<AttachValues>(services, {
    ...work,
    begin: () => {},
    run: (onEvent) =>
      settlePlan(attachPlan(services, engine), {
        ...settingsOf(work, options),
        clock,
        onEvent,
        inputs: { box },
      }),
    succeed: () => {},
    fail: () => {},
  });
  return result(services, work, done, "attached");
}

function result(
  { home, state }: StartServices,
  work: Pick<OperationWork<never>, "id" | "box">,
  { values, metrics }: PlanSuccess<AttachValues>,
  outcome: StartedBox["outcome"],
): StartedBox {
  return {
    box: describeBox(home, state.database, requireBox(state.database, work.box.id)),
    operation: work.id,
    outcome,
    machine: values.machine.record,
    metrics,
  };
}

/** A machine that still runs although nothing says so is not taken over: nobody knows who uses it. */
async function refuseOrphan(
  { home }: StartServices,
  engine: Engine,
  { id, name }: BoxRecord,
): Promise<void> {
  const left = await engine.find(boxLayout(home, id).run);
  if (left !== undefined && isMachineAlive(left)) throw orphaned(name, left);
}

/** A machine runs of a box that is not recorded as running. */
function orphaned(name: string, { process: { pid } }: MachineRecord): RuntimeError {
  return new RuntimeError({
    code: "BOX_MACHINE_ORPHANED",
    message: `box ${name} is not running, but a machine of it is: process ${pid}`,
    details: { name, pid },
    hint: `end process ${pid} when nobody needs it, and start again then`,
  });
}

/** What a failed start leaves: the state from before when it was told to stop, else a failed box with the reason. */
function recordFailure(
  { clock }: StartServices,
  database: StateDatabase,
  { id, state: before, error: earlier }: BoxRecord,
  error: unknown,
): void {
  const nowMs = clock.now();
  const record = getMachine(database, id)?.record;
  const { state } = requireBox(database, id);
  if (state === "stopping") {
    if (record !== undefined && isMachineAlive(record)) moveBox(database, id, "running", { nowMs });
    else recordEnd(database, id, { reason: "lost" }, nowMs);
    return;
  }
  deleteMachine(database, id);
  if (kindOf(error) !== "aborted") {
    moveBox(database, id, "failed", { nowMs, error: toErrorReport(error) });
    return;
  }
  const kept = earlier === undefined ? {} : { error: earlier };
  moveBox(database, id, before === "running" ? "stopped" : before, { nowMs, ...kept });
}
