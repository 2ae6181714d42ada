import { removeDeadTemporaries } from "@box/io/node";
import type { Clock } from "@box/pipeline";
import { RuntimeError } from "../errors.ts";
import type { HomeLayout } from "../home/layout.ts";
import { interruptDeadOperations } from "../operations/interrupt-dead.ts";
import { deleteBox, listUnfinishedBoxes } from "../state/boxes-table.ts";
import { deleteDeadLeases } from "../state/leases-table.ts";
import type { StateStore } from "../state/state-store.ts";
import type { BoxRecord } from "./box.ts";
import { lockBox } from "./box-lock.ts";
import { removeDeadLocks } from "./dead-locks.ts";
import { removeBoxFiles, removeBoxLock } from "./remove-files.ts";

/**
 * Puts right what dead processes left: their operations are marked as interrupted, their leases and temporary files go
 * away, and boxes that they were creating or removing are removed to the end.
 */
export async function recoverHome(
  home: HomeLayout,
  state: StateStore,
  clock: Clock,
): Promise<void> {
  await interruptDeadOperations(home, state, clock.now());
  deleteDeadLeases(state);
  await clearAbandonedBoxes(home, state);
  await removeDeadLocks(home, state);
  const folders = [home.root, home.images, home.bases, home.tmp];
  await Promise.all(folders.map((folder) => removeDeadTemporaries(folder)));
}

/**
 * Removes boxes that were left half created or half removed. Whoever still works on one holds its lock.
 *
 * @param name - Only the box of this name; all unless given.
 */
export async function clearAbandonedBoxes(
  home: HomeLayout,
  state: StateStore,
  name?: string,
): Promise<void> {
  for (const box of listUnfinishedBoxes(state.database)) {
    if (name === undefined || box.name === name) await finishRemoval(home, state, box);
  }
}

async function finishRemoval(home: HomeLayout, state: StateStore, box: BoxRecord): Promise<void> {
  try {
    await using _lock = await lockBox(home, box, { command: "clearing up", timeoutMs: 0 });
    if (!listUnfinishedBoxes(state.database).some(({ id }) => id === box.id)) return;
    await removeBoxFiles(home, box.id);
    state.transaction((database) => deleteBox(database, box.id));
    await removeBoxLock(home, box.id);
  } catch (error) {
    // Somebody else is at it.
    if (error instanceof RuntimeError && error.code === "BOX_IN_USE") return;
    throw error;
  }
}
