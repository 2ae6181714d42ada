import { acquireLockIfFree } from "@box/io/node";
import { boxLockPath, type HomeLayout, stateLockPath } from "../home/layout.ts";
import { listBoxIds } from "../state/boxes-table.ts";
import type { StateStore } from "../state/state-store.ts";
import { namesIn } from "../storage/files.ts";
import { removeBoxLock } from "./remove-files.ts";

/** A lock file and what SQLite and its holder keep beside it. */
const lockFile = /^box-([0-9a-f]{32})\.lock/;

/**
 * Removes the lock files of boxes that are not there: their makers died before the box was on record, or their removers
 * after it was not.
 *
 * A box that is being made has a lock before it has a record. Its maker holds it, or finds its file gone and makes
 * another (`lockNewBox`). One process at a time does this, so that none finds a file that another has just removed.
 */
export async function removeDeadLocks(home: HomeLayout, state: StateStore): Promise<void> {
  if (idsWithoutBox(await namesIn(home.locks), state).length === 0) return;
  const command = "removing the locks of boxes that are gone";
  await using cleaner = await acquireLockIfFree(stateLockPath(home), { command });
  if (cleaner === undefined) return;
  for (const id of idsWithoutBox(await namesIn(home.locks), state)) {
    await using lock = await acquireLockIfFree(boxLockPath(home, id), { command });
    if (lock === undefined || listBoxIds(state.database).has(id)) continue;
    await removeBoxLock(home, id);
  }
}

/** The names are older than the records that they are held against. */
function idsWithoutBox(names: readonly string[], state: StateStore): readonly string[] {
  const ids = new Set(names.map((name) => lockFile.exec(name)?.[1]));
  const known = listBoxIds(state.database);
  return [...ids].filter((id) => id !== undefined && !known.has(id)) as string[];
}
