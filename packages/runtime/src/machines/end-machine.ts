import { isBoxError } from "@box/errors";
import type {
  Engine,
  Machine,
  MachineExit,
  MachineRecord,
  StopMachineOptions,
  StopReport,
} from "@box/vm";
import type { BoxServices } from "../boxes/recorded-work.ts";
import type { BoxChangeEvent } from "../events.ts";

/** How a machine is ended. */
export interface EndOptions extends StopMachineOptions {
  /** What its program is sent first; nothing unless given. */
  readonly stopSignal?: string | undefined;
}

/** How long a guest may take to end unless somebody says otherwise. */
const usualGraceMs = 10_000;
/** What of it is kept for the rest of the guest, but at most half. */
const restMs = 5000;

/** Ends a machine, whoever started it. One that has ended meanwhile is no failure. */
export async function endMachine(
  { handles, clock }: BoxServices,
  engine: Engine,
  record: MachineRecord,
  { stopSignal, ...options }: EndOptions,
): Promise<StopReport> {
  const { graceMs = usualGraceMs } = options;
  try {
    const machine = await handles.get(engine, record);
    if (stopSignal === undefined || graceMs === 0) return await machine.stop(options);
    const beganMs = clock.now();
    const programMs = Math.max(graceMs / 2, graceMs - restMs);
    const exit = await endProgram(machine, stopSignal, programMs, options);
    if (exit !== undefined) return { step: "guest", exit };
    const leftMs = Math.max(1, graceMs - (clock.now() - beganMs));
    return await machine.stop({ ...options, graceMs: leftMs });
  } catch (error) {
    if (!isBoxError(error) || error.code !== "VM_MACHINE_GONE") throw error;
    const status = await engine.look(record);
    const exit = status.state === "gone" ? status.exit : undefined;
    return { step: "already", exit: exit ?? { reason: "lost" } };
  }
}

/** Sends the program of a machine its signal and waits until the machine has ended with it. It may have none, or not listen. */
async function endProgram(
  machine: Machine,
  stopSignal: string,
  timeoutMs: number,
  { signal }: StopMachineOptions,
): Promise<MachineExit | undefined> {
  const late = AbortSignal.timeout(Math.ceil(timeoutMs));
  const either = signal === undefined ? late : AbortSignal.any([signal, late]);
  try {
    await machine.signal(stopSignal, { signal: either });
    return await machine.wait({ signal: either });
  } catch {
    signal?.throwIfAborted();
    return undefined;
  }
}

/** The event that tells how a machine was stopped. */
export function stoppedEvent(name: string, { step, exit }: StopReport): BoxChangeEvent {
  return {
    type: "change",
    name: "box.stopped",
    level: "info",
    message: `box ${name} has stopped (${step})`,
    details: { step, exit },
  };
}
