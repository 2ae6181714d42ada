import { isBoxError } from "@box/errors";
import type { Machine } from "@box/vm";
import { lockFor } from "../boxes/box-work.ts";
import { summarizeBox } from "../boxes/describe-box.ts";
import type { BoxServices } from "../boxes/recorded-work.ts";
import { findBox, requireBox } from "../state/boxes-table.ts";
import { setStopRequested } from "../state/machines-table.ts";
import { reachMachine } from "./exec-in-box.ts";
import type { KillBoxOptions, KilledBox } from "./machine-options.ts";
import { requireEngine } from "./require-engine.ts";
import { settleBox } from "./settle-box.ts";
import { stopBox } from "./stop-box.ts";

/** How long a guest may take to take a signal. */
const answerMs = 3000;
/** How long a machine may take to end when its program was killed: its disks are written and unmounted. */
const endMs = 10_000;

/**
 * Signals the program of a box. `SIGKILL` ends the box in any case: where the signal reaches no program, its machine is killed.
 *
 * @throws RuntimeError `BOX_ENGINE_MISSING`, `BOX_NOT_FOUND`, `BOX_NOT_RUNNING`; VmError `VM_NO_PROGRAM`, `VM_GUEST_TIMEOUT`.
 */
export async function killBox(
  services: BoxServices,
  nameOrId: string,
  options: KillBoxOptions,
): Promise<KilledBox> {
  const { signalName = "SIGKILL", signal } = options;
  requireEngine(services.engine);
  const { database } = services.state;
  const box = requireBox(database, nameOrId);
  const machine = await reachMachine(services, box);
  const isFinal = signalName === "SIGKILL";
  // It was ended by somebody: no policy starts it again.
  if (isFinal) services.state.transaction((now) => setStopRequested(now, box.id, true));
  const isDelivered = await deliver(machine, signalName, options);
  const hasEnded = isFinal && isDelivered && (await endsSoon(machine, signal));
  if (isFinal && !hasEnded) {
    const { box: stopped } = await stopBox(services, box.id, { ...options, graceMs: 0 });
    return { box: stopped, reached: "machine" };
  }
  if (hasEnded) {
    await using _lock = await lockFor(services, box, "settling", options);
    await settleBox(services, box.id);
  }
  return { box: summarizeBox(findBox(database, box.id) ?? box), reached: "program" };
}

/** Whether a program got the signal; only for `SIGKILL` it is no failure when none did. */
async function deliver(
  machine: Machine,
  signalName: string,
  { signal }: KillBoxOptions,
): Promise<boolean> {
  try {
    const stoppable = signal === undefined ? {} : { signal };
    await machine.signal(signalName, { timeoutMs: answerMs, ...stoppable });
    return true;
  } catch (error) {
    signal?.throwIfAborted();
    if (signalName === "SIGKILL" && isBoxError(error) && error.code.startsWith("VM_")) return false;
    throw error;
  }
}

async function endsSoon(machine: Machine, signal: AbortSignal | undefined): Promise<boolean> {
  const late = AbortSignal.timeout(endMs);
  const either = signal === undefined ? late : AbortSignal.any([signal, late]);
  try {
    await machine.wait({ signal: either });
    return true;
  } catch (error) {
    signal?.throwIfAborted();
    if (late.aborted) return false;
    throw error;
  }
}
