import { rmdir } from "node:fs/promises";
import {
  ensureDirectory,
  errnoOf,
  nodeFileSystem,
  removeDeadTemporaries,
  toIoError,
} from "@box/io/node";
import { defineTask, type Task } from "@box/pipeline";
import { diskRoles } from "@box/rootfs";
import type { BoxRecord } from "../boxes/box.ts";
import { boxLayout } from "../home/layout.ts";
import { getDisk } from "../state/disks-table.ts";
import type { StateStore } from "../state/state-store.ts";
import { boxKey, layoutKey } from "./keys.ts";
import type { InitServices } from "./services.ts";

/** Makes the box's folders, and clears what dead processes left in them. */
export function filesystemSetup({
  home,
  state,
}: Pick<InitServices, "home" | "state">): Task<typeof boxKey, typeof layoutKey, never> {
  return defineTask({
    name: "filesystem_setup",
    label: "filesystem",
    needs: [boxKey],
    provides: [layoutKey],
    run: async ({ box }, { undo }) => {
      const layout = boxLayout(home, box.id);
      // A lost folder may be a disk that is not mounted: the overlay rules refuse what they cannot look at.
      if (hasDisks(state, box) && !(await isThere(layout.root))) return { layout };
      const made = await ensureDirectory(layout.disks);
      undo(async () => {
        // Only folders that this run made, and only while nothing is in them.
        for (const folder of made.toReversed()) await rmdir(folder).catch(() => {});
      });
      // In a folder that was just made there are none.
      if (!made.includes(layout.disks)) await removeDeadTemporaries(layout.disks);
      return { layout };
    },
  });
}

function hasDisks({ database }: StateStore, { id }: BoxRecord): boolean {
  return diskRoles.some((role) => getDisk(database, id, role) !== undefined);
}

async function isThere(path: string): Promise<boolean> {
  try {
    await nodeFileSystem.stat(path);
    return true;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return false;
    throw toIoError(error, { action: "cannot look at", path });
  }
}
