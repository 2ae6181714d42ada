import { defineTask, ownEvents, type Task } from "@box/pipeline";
import type { Engine, MachineRecord } from "@box/vm";
import { type BoxServices, changeGraceMs } from "../boxes/recorded-work.ts";
import type { BoxOwnEvent } from "../events.ts";
import { boxKey } from "../init/keys.ts";
import { requireBox } from "../state/boxes-table.ts";
import { getMachine } from "../state/machines-table.ts";
import { programOf } from "./exec-request.ts";
import { connectedKey, machineKey } from "./machine-keys.ts";
import { notRunning } from "./require-engine.ts";

/** Reaches the machine of a box that runs. */
export function vmmAttach(
  services: BoxServices,
  engine: Engine,
): Task<typeof boxKey, typeof machineKey, never> {
  return defineTask({
    name: "vmm_attach",
    label: "vmm",
    needs: [boxKey],
    provides: [machineKey],
    run: async ({ box }) => {
      const record = getMachine(services.state.database, box.id)?.record;
      if (record === undefined) throw notRunning(box);
      return { machine: await services.handles.get(engine, record) };
    },
  });
}

/** Waits until the agent in the guest answers. */
export function guestConnect(): Task<typeof machineKey, typeof connectedKey, never> {
  return defineTask({
    name: "guest_connect",
    label: "guest connect",
    needs: [machineKey],
    provides: [connectedKey],
    graceMs: changeGraceMs,
    run: async ({ machine }, { signal, info }) => {
      const { agent } = await machine.connect({ signal });
      info(`the guest answers: ${agent}`, { agent });
      return { connected: machine };
    },
  });
}

/** Makes the guest ready for commands and starts the box's program, when it has one. */
export function guestInit(
  services: BoxServices,
): Task<typeof boxKey | typeof connectedKey, never, BoxOwnEvent> {
  return defineTask({
    name: "guest_init",
    label: "guest",
    needs: [boxKey, connectedKey],
    events: ownEvents<BoxOwnEvent>(),
    graceMs: changeGraceMs,
    run: async ({ box, connected: machine }, { signal, emit }) => {
      const now = requireBox(services.state.database, box.id);
      const program = programOf(now);
      await machine.initialize(
        {
          hostname: now.run.hostname ?? box.name,
          ...(program === undefined ? {} : { program }),
          ...(now.run.forwards === undefined ? {} : { forwards: now.run.forwards }),
        },
        { signal },
      );
      const { record } = machine;
      emit({
        type: "change",
        name: "box.started",
        level: "info",
        message: `box ${box.name} runs in process ${record.process.pid}`,
        details: {
          ...{ machine: record.id, engine: record.engine, pid: record.process.pid },
          ...startDetails(record.details),
        },
      });
    },
  });
}

/** Whether the machine has booted, and why, as far as its engine tells. */
function startDetails({ start, startReason }: MachineRecord["details"]): Record<string, string> {
  return {
    ...(typeof start === "string" ? { start } : {}),
    ...(typeof startReason === "string" ? { startReason } : {}),
  };
}
