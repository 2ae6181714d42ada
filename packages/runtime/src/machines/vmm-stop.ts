import { processIdentity } from "@box/io/node";
import { defineTask, ownEvents, type Task } from "@box/pipeline";
import type { Engine } from "@box/vm";
import { type BoxServices, changeGraceMs } from "../boxes/recorded-work.ts";
import type { BoxOwnEvent } from "../events.ts";
import { boxKey } from "../init/keys.ts";
import { moveBox } from "../state/boxes-table.ts";
import { beginMachine, getMachine } from "../state/machines-table.ts";
import { endMachine, stoppedEvent } from "./end-machine.ts";
import { notRunning } from "./require-engine.ts";
import { forgetMachine, recordEnd } from "./stop-box.ts";
import { stopSignalOf } from "./stop-signal.ts";

/** How a machine is ended that is started again. */
export interface StopChoice {
  /** How long the guest may take. */
  readonly graceMs: number | undefined;
}

/** Ends the machine of a box that is started again in the same operation. */
export function vmmStop(
  services: BoxServices,
  engine: Engine,
  { graceMs }: StopChoice,
): Task<typeof boxKey, never, BoxOwnEvent> {
  return defineTask({
    name: "vmm_stop",
    label: "stop",
    needs: [boxKey],
    events: ownEvents<BoxOwnEvent>(),
    graceMs: changeGraceMs,
    run: async ({ box }, { signal, emit }) => {
      const { id, name, state } = box;
      const record = getMachine(services.state.database, id)?.record;
      if (record === undefined) throw notRunning({ name, state });
      const grace = graceMs === undefined ? {} : { graceMs };
      const stopSignal = stopSignalOf(box);
      const report = await endMachine(services, engine, record, { signal, stopSignal, ...grace });
      emit(stoppedEvent(name, report));
      const nowMs = services.clock.now();
      services.state.transaction((database) => {
        recordEnd(database, id, report.exit, nowMs);
        moveBox(database, id, "starting", { nowMs });
        beginMachine(database, id, processIdentity());
      });
      await forgetMachine(services, id, record.id);
    },
  });
}
