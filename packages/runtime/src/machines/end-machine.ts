import { isBoxError } from "@box/errors";
import type { Engine, MachineRecord, StopMachineOptions, StopReport } from "@box/vm";
import type { BoxServices } from "../boxes/recorded-work.ts";
import type { BoxChangeEvent } from "../events.ts";

/** Ends a machine, whoever started it. One that has ended meanwhile is no failure. */
export async function endMachine(
  { handles }: BoxServices,
  engine: Engine,
  record: MachineRecord,
  options: StopMachineOptions,
): Promise<StopReport> {
  try {
    const machine = await handles.get(engine, record);
    return await machine.stop(options);
  } catch (error) {
    if (!isBoxError(error) || error.code !== "VM_MACHINE_GONE") throw error;
    const status = await engine.look(record);
    const exit = status.state === "gone" ? status.exit : undefined;
    return { step: "already", exit: exit ?? { reason: "lost" } };
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
