import type { ErrorReport } from "@box/errors";
import { isProcessAlive, processIdentity } from "@box/io/node";
import type { TaskContext } from "@box/pipeline";
import { isOfEarlierBoot, type MachineExit, type MachineRecord, type MachineStatus } from "@box/vm";
import type { BoxRecord } from "../boxes/box.ts";
import { type BoxServices, runChange } from "../boxes/recorded-work.ts";
import { removeIdleBox } from "../boxes/remove-box.ts";
import { isInUse } from "../boxes/states.ts";
import type { BoxOwnEvent } from "../events.ts";
import { boxLayout } from "../home/layout.ts";
import { findBox, moveBox } from "../state/boxes-table.ts";
import type { StateDatabase } from "../state/database.ts";
import { type BoxMachine, deleteMachine, getMachine, setExit } from "../state/machines-table.ts";
import { clearRunFolder } from "./run-folder.ts";

/** What is true of a box whose state says that it starts, runs or stops. */
type Verdict =
  /** Its state is right, or nobody here can tell. */
  | { readonly type: "right" }
  /** Its machine runs, and who was stopping it is dead. */
  | { readonly type: "runs" }
  /** Its machine has ended. */
  | { readonly type: "ended"; readonly exit: MachineExit }
  /** Who was starting it is dead; what is left of its machine has to go. */
  | { readonly type: "half-started"; readonly left: MachineRecord | undefined };

/**
 * Brings the state of a box in line with its machine, as an operation with its event when something was to be done. The
 * caller holds the box's lock, so that nobody else starts or stops it.
 *
 * A machine that was half started is ended: nobody knows how far it came. One that was being stopped and lives is
 * running. A box that is to go away when it has stopped goes away.
 */
export async function settleBox(services: BoxServices, id: string): Promise<void> {
  const box = findBox(services.state.database, id);
  if (box === undefined || !isInUse(box.state)) return;
  const machine = getMachine(services.state.database, id);
  const verdict = await judge(services, box, machine);
  if (verdict.type === "right") return;
  await runChange(
    services,
    box,
    {
      kind: "settle",
      run: (context) => carryOut(services, box, verdict, context),
      succeed: (database) => store(database, box, verdict, services.clock.now()),
    },
    {},
  );
  if (verdict.type === "runs") return;
  if (machine?.record !== undefined) await services.handles.drop(machine.record.id);
  await clearRunFolder(services.home, id);
  if (verdict.type === "ended" && box.autoRemove) await removeIdleBox(services, box, {});
}

async function judge(
  services: BoxServices,
  box: BoxRecord,
  machine: BoxMachine | undefined,
): Promise<Verdict> {
  const record = machine?.record ?? (await findLeft(services, box));
  const status = await statusOf(services, record);
  if (box.state === "running") {
    return status.state === "running"
      ? { type: "right" }
      : { type: "ended", exit: exitOf(status, record) };
  }
  if (box.state === "stopping") {
    return status.state === "running"
      ? { type: "runs" }
      : { type: "ended", exit: exitOf(status, record) };
  }
  if (status.state === "running") {
    // Only who can talk to it can end it; until then it is as if it were still starting.
    return canReach(services, record) ? { type: "half-started", left: record } : { type: "right" };
  }
  const { starter = processIdentity() } = machine ?? {};
  if (starter.bootId !== processIdentity().bootId) {
    return { type: "ended", exit: { reason: "host-rebooted" } };
  }
  // Without an engine a machine that is not on record cannot be looked for.
  const isKnown = record !== undefined || services.engine !== undefined;
  return isKnown ? { type: "half-started", left: undefined } : { type: "right" };
}

/** The machine of a box whose starter died before it could store how to find it. */
async function findLeft(
  { engine, home }: BoxServices,
  { id }: BoxRecord,
): Promise<MachineRecord | undefined> {
  const found = await engine?.find(boxLayout(home, id).run).catch(() => undefined);
  return found?.boxId === id ? found : undefined;
}

async function statusOf(
  services: BoxServices,
  record: MachineRecord | undefined,
): Promise<MachineStatus> {
  if (record === undefined) return { state: "gone" };
  if (canReach(services, record) && services.engine !== undefined) {
    return services.engine.look(record);
  }
  return isProcessAlive(record.process) ? { state: "running" } : { state: "gone" };
}

function canReach({ engine }: BoxServices, record: MachineRecord | undefined): boolean {
  return record !== undefined && engine?.name === record.engine;
}

function exitOf(status: MachineStatus, record: MachineRecord | undefined): MachineExit {
  const known = status.state === "gone" ? status.exit : undefined;
  if (known !== undefined) return known;
  const isEarlier = record !== undefined && isOfEarlierBoot(record);
  return { reason: isEarlier ? "host-rebooted" : "lost" };
}

async function carryOut(
  { engine, handles }: BoxServices,
  { name }: BoxRecord,
  verdict: Verdict,
  context: TaskContext<BoxOwnEvent>,
): Promise<void> {
  if (verdict.type === "runs") {
    context.info(`box ${name} still runs: who was stopping it is dead`);
    return;
  }
  if (verdict.type === "half-started") {
    if (verdict.left !== undefined && engine !== undefined) {
      const machine = await handles.get(engine, verdict.left);
      await machine.stop({ graceMs: 0 });
      await handles.drop(verdict.left.id);
    }
    context.warn({
      code: "OPERATION_INTERRUPTED",
      message: `the start of box ${name} was not finished: who was starting it is dead`,
    });
  }
  if (verdict.type === "ended") context.emit(exitedEvent(name, verdict.exit));
}

/** The event that tells how the machine of a box ended. */
function exitedEvent(
  name: string,
  exit: MachineExit,
): Extract<BoxOwnEvent, { readonly type: "change" }> {
  const code = exit.exitCode === undefined ? "" : ` with exit code ${exit.exitCode}`;
  const said = exit.message === undefined ? "" : `: ${exit.message}`;
  return {
    type: "change",
    name: "box.exited",
    level: "info",
    message: `the machine of box ${name} has ended (${exit.reason})${code}${said}`,
    details: { ...exit },
  };
}

function store(database: StateDatabase, { id }: BoxRecord, verdict: Verdict, nowMs: number): void {
  if (verdict.type === "runs") {
    moveBox(database, id, "running", { nowMs });
    return;
  }
  deleteMachine(database, id);
  if (verdict.type === "ended") {
    moveBox(database, id, "stopped", { nowMs });
    setExit(database, id, verdict.exit);
  } else {
    moveBox(database, id, "failed", { nowMs, error: interrupted });
  }
}

const interrupted: ErrorReport = {
  code: "OPERATION_INTERRUPTED",
  kind: "interrupted",
  message: "the process that started it died before it was running",
  details: {},
  hint: "start it again: what was half done has been put right",
  retryable: true,
  cause: [],
};
