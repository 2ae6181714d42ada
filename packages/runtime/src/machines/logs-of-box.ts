import { readMachineLog } from "@box/vm";
import type { BoxServices } from "../boxes/recorded-work.ts";
import { isInUse } from "../boxes/states.ts";
import { boxLayout } from "../home/layout.ts";
import { findBox, requireBox } from "../state/boxes-table.ts";
import { getMachine } from "../state/machines-table.ts";
import type { BoxLogsOptions } from "./machine-options.ts";

/**
 * What the program of a box wrote, or its console, since it was made. Nothing else of the box is touched, so that it works
 * whatever state it is in.
 *
 * @throws RuntimeError `BOX_NOT_FOUND`; IoError; the signal's reason.
 */
export function logsOfBox(
  services: BoxServices,
  nameOrId: string,
  options: BoxLogsOptions,
): AsyncIterable<Uint8Array> {
  const { id } = requireBox(services.state.database, nameOrId);
  const { source = "output", follows = false, tailLines, signal } = options;
  return readMachineLog(boxLayout(services.home, id).logs, source, {
    ...(tailLines === undefined ? {} : { tailLines }),
    ...(signal === undefined ? {} : { signal }),
    ...(follows ? { follow: () => hasEnded(services, id) } : {}),
  });
}

/** Whether nothing more comes, as far as can be told without an engine that is asked. */
async function hasEnded({ state, engine }: BoxServices, id: string): Promise<boolean> {
  const box = findBox(state.database, id);
  if (box === undefined || !isInUse(box.state)) return true;
  const record = box.state === "starting" ? undefined : getMachine(state.database, id)?.record;
  if (record === undefined || engine?.name !== record.engine) return false;
  return (await engine.look(record)).state === "gone";
}
