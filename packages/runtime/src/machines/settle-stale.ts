import { existsSync } from "node:fs";
import { isBoxError } from "@box/errors";
import { isMachineAlive, type MachineRecord } from "@box/vm";
import type { BoxRecord } from "../boxes/box.ts";
import { lockBox } from "../boxes/box-lock.ts";
import type { BoxServices } from "../boxes/recorded-work.ts";
import { clearAbandonedBoxes } from "../boxes/recover.ts";
import { isInUse, isUnfinished } from "../boxes/states.ts";
import { boxLayout } from "../home/layout.ts";
import { listIdleBoxes } from "../state/boxes-table.ts";
import { getMachine } from "../state/machines-table.ts";
import { hasRunningOperation } from "../state/operations-table.ts";

/** A machine that runs of a box that is not recorded as running. Nobody takes it over. */
export interface OrphanMachine {
  /** The box. */
  readonly box: Pick<BoxRecord, "id" | "name" | "state">;
  /** How to find the machine. */
  readonly record: MachineRecord;
}

/**
 * Puts on record which machines have ended while nobody looked, and takes away boxes whose creation or removal failed half-way
 * and could not be put right then. A box that somebody works on right now is left to them, and one that cannot be put right
 * keeps its state: whoever wants something of it is told why.
 *
 * @returns Whether something may have changed.
 */
export async function settleStale(
  services: BoxServices,
  boxes: readonly BoxRecord[],
): Promise<boolean> {
  const stale = boxes.filter((box) => isWorthSettling(services, box));
  for (const box of stale) {
    try {
      await settle(services, box);
    } catch (error) {
      if (!isBoxError(error)) throw error;
    }
  }
  return stale.length > 0;
}

async function settle(services: BoxServices, box: BoxRecord): Promise<void> {
  const { home, state } = services;
  if (isUnfinished(box.state)) return clearAbandonedBoxes(home, state, box.name);
  const { settleBox } = await import("./settle-box.ts");
  const options = { command: `settling ${box.name}`, timeoutMs: 0 };
  await using _lock = await lockBox(home, box, options);
  await settleBox(services, box.id);
}

/** Whether there may be something to settle, found out without the box's lock. */
function isWorthSettling({ state }: BoxServices, box: BoxRecord): boolean {
  if (isUnfinished(box.state)) {
    // Its maker or remover stored the beginning of its operation with the state, and stores both ends together.
    return !state.database.isReadOnly && !hasRunningOperation(state.database, box.id);
  }
  if (box.state !== "running") return isInUse(box.state);
  try {
    const record = getMachine(state.database, box.id)?.record;
    return record === undefined || !isMachineAlive(record);
  } catch (error) {
    if (isBoxError(error)) return false;
    throw error;
  }
}

/** Machines that run although their boxes are not recorded as running; none without an engine. */
export async function findOrphans({
  engine,
  home,
  state,
}: BoxServices): Promise<readonly OrphanMachine[]> {
  if (engine === undefined) return [];
  const orphans: OrphanMachine[] = [];
  for (const box of listIdleBoxes(state.database)) {
    const { run } = boxLayout(home, box.id);
    // There only while a machine runs, or after one whose end nobody cleared.
    if (!existsSync(run)) continue;
    const record = await engine.find(run).catch(() => undefined);
    if (record !== undefined && isMachineAlive(record)) orphans.push({ box, record });
  }
  return orphans;
}
