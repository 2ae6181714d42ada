import { existsSync } from "node:fs";
import { isBoxError } from "@box/errors";
import { isMachineAlive, type MachineRecord } from "@box/vm";
import type { BoxRecord } from "../boxes/box.ts";
import { lockBox } from "../boxes/box-lock.ts";
import type { BoxServices } from "../boxes/recorded-work.ts";
import { isInUse } from "../boxes/states.ts";
import { boxLayout } from "../home/layout.ts";
import { listIdleBoxes } from "../state/boxes-table.ts";
import { getMachine } from "../state/machines-table.ts";

/** A machine that runs of a box that is not recorded as running. Nobody takes it over. */
export interface OrphanMachine {
  /** The box. */
  readonly box: Pick<BoxRecord, "id" | "name" | "state">;
  /** How to find the machine. */
  readonly record: MachineRecord;
}

/**
 * Puts on record which machines have ended while nobody looked. A box that somebody works on right now is left to them, and
 * one that cannot be put right keeps its state: whoever wants something of it is told why.
 *
 * @returns Whether something may have changed.
 */
export async function settleStale(
  services: BoxServices,
  boxes: readonly BoxRecord[],
): Promise<boolean> {
  const stale = boxes.filter((box) => isWorthSettling(services, box));
  if (stale.length === 0) return false;
  const { settleBox } = await import("./settle-box.ts");
  for (const box of stale) {
    try {
      const options = { command: `settling ${box.name}`, timeoutMs: 0 };
      await using _lock = await lockBox(services.home, box, options);
      await settleBox(services, box.id);
    } catch (error) {
      if (!isBoxError(error)) throw error;
    }
  }
  return true;
}

/** Whether there may be something to settle, found out without the box's lock. */
function isWorthSettling({ state }: BoxServices, box: BoxRecord): boolean {
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
