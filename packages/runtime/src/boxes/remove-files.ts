import { lstat, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { removeFileDurably, syncDirectory, toIoError } from "@box/io/node";
import { boxLayout, boxLockPath, type HomeLayout } from "../home/layout.ts";

const idPattern = /^[0-9a-f]{32}$/;

/**
 * Removes the folder of a box and nothing else: symbolic links in it are removed, not followed.
 *
 * Safe to repeat: what is gone already is no failure.
 */
export async function removeBoxFiles(home: HomeLayout, id: string): Promise<void> {
  if (!idPattern.test(id)) throw new Error(`${JSON.stringify(id)} is no id of a box`);
  const { root } = boxLayout(home, id);
  try {
    await lstat(root).then(
      () => rm(root, { recursive: true, force: true, maxRetries: 0 }),
      (error: NodeJS.ErrnoException) => {
        if (error.code !== "ENOENT") throw error;
      },
    );
  } catch (error) {
    throw toIoError(error, { action: "cannot remove the files of the box in", path: root });
  }
  // Before its record goes: a folder that came back after a cut of the power would be nobody's.
  await syncDirectory(dirname(root));
}

/** Removes the lock file of a box that is gone. Call it while holding the lock, after the box's record is gone. */
export async function removeBoxLock(home: HomeLayout, id: string): Promise<void> {
  await removeFileDurably(boxLockPath(home, id));
}
