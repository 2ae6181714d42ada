import { isBoxError } from "@box/errors";
import { pause } from "@box/pipeline";
import type { MachineExit } from "@box/vm";
import type { BoxRecord } from "../boxes/box.ts";
import { lockFor } from "../boxes/box-work.ts";
import type { BoxServices } from "../boxes/recorded-work.ts";
import { isInUse } from "../boxes/states.ts";
import { findBox, requireBox } from "../state/boxes-table.ts";
import { getMachine } from "../state/machines-table.ts";
import { reachMachine } from "./exec-in-box.ts";
import type { EndedBox } from "./machine-options.ts";
import { notRunning, requireEngine } from "./require-engine.ts";
import { settleBox } from "./settle-box.ts";

/** How often a box is looked at that another process is starting or stopping. */
const pollMs = 100;

/**
 * Waits until the machine of a box has ended, and puts that on record. A box that has stopped tells its last end at once.
 *
 * @throws RuntimeError `BOX_ENGINE_MISSING`, `BOX_NOT_FOUND`, `BOX_NOT_RUNNING` when it never ran or its start failed; the
 * signal's reason.
 */
export async function waitForBox(
  services: BoxServices,
  nameOrId: string,
  { signal }: { readonly signal?: AbortSignal },
): Promise<EndedBox> {
  requireEngine(services.engine);
  const { database } = services.state;
  const { id, name } = requireBox(database, nameOrId);
  let seen: MachineExit | undefined;
  for (;;) {
    signal?.throwIfAborted();
    const box = findBox(database, id);
    if (box === undefined || !isInUse(box.state))
      return { id, name, exit: exitOf(box, seen, name) };
    if (box.state === "running") seen = await waitForMachine(services, box, signal);
    else await pause(services.clock, pollMs, signal);
  }
}

/** Stopping is not the machine's end yet, and somebody else may have put it on record and removed the box. */
function exitOf(
  box: BoxRecord | undefined,
  seen: MachineExit | undefined,
  name: string,
): MachineExit {
  const exit = box === undefined ? seen : box.exit;
  if (exit !== undefined && box?.state !== "failed") return exit;
  throw notRunning(box ?? { name, state: "removing" });
}

async function waitForMachine(
  services: BoxServices,
  box: BoxRecord,
  signal: AbortSignal | undefined,
): Promise<MachineExit | undefined> {
  const options = signal === undefined ? {} : { signal };
  let exit: MachineExit | undefined;
  try {
    const machine = await reachMachine(services, box);
    exit = await machine.wait(options);
  } catch (error) {
    if (!isBoxError(error) || error.code !== "VM_MACHINE_GONE") throw error;
    // It ended in between; whoever puts it on record may remove the box.
    exit = await lastWordOf(services, box.id);
  }
  // Whoever stops it puts it on record as well; the first one does.
  await using _lock = await lockFor(services, box, "settling", options);
  await settleBox(services, box.id);
  return exit;
}

async function lastWordOf(
  { engine, state }: BoxServices,
  boxId: string,
): Promise<MachineExit | undefined> {
  const record = getMachine(state.database, boxId)?.record;
  if (record === undefined) return undefined;
  const status = await engine?.look(record);
  return (status?.state === "gone" ? status.exit : undefined) ?? { reason: "lost" };
}
