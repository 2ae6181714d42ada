import { existsSync, unlinkSync } from "node:fs";
import { errnoOf, toIoError } from "@box/io/node";

/**
 * Removes a base disk, its record last: a record without a disk says what to build again.
 *
 * The removal itself is synchronous, so that `removeUnlessNeeded` can do it inside a transaction of a database.
 *
 * @returns Whether it was removed.
 */
export function removeDisk(
  diskPath: string,
  recordPath: string,
  removeUnlessNeeded: (remove: () => void) => void,
): boolean {
  let wasThere = false;
  let isRemoved = false;
  removeUnlessNeeded(() => {
    wasThere = existsSync(diskPath) || existsSync(recordPath);
    for (const path of [diskPath, recordPath]) unlinkIfThere(path);
    isRemoved = true;
  });
  return wasThere && isRemoved;
}

function unlinkIfThere(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw toIoError(error, { action: "cannot remove", path });
  }
}
