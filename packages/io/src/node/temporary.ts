import { randomBytes } from "node:crypto";
import { dirname, join } from "node:path";
import type { FileSystem } from "./file-system.ts";
import { errnoOf, toIoError } from "./io-error.ts";
import { nodeFileSystem } from "./node-file-system.ts";
import { isProcessAlive, processIdentity } from "./process-identity.ts";

const pattern = /^\.tmp-(\d{1,10})-(\d*)-[0-9a-f]{16}$/;

/** A new temporary name in the folder of `path`, which tells who made it. */
export function temporaryPathFor(path: string): string {
  const { pid, startTime } = processIdentity();
  return join(dirname(path), `.tmp-${pid}-${startTime}-${randomBytes(8).toString("hex")}`);
}

/** Options of {@link removeDeadTemporaries}. */
export interface RemoveDeadTemporariesOptions {
  /** The file system calls; the host's unless given. */
  readonly fs?: FileSystem;
  /** Only finds them. */
  readonly dryRun?: boolean;
}

/**
 * Removes temporary files that dead processes left in a folder; those of live processes stay.
 *
 * @returns The names removed, or found in a dry run. A folder that does not exist has none.
 * @throws IoError when the folder cannot be read or a file cannot be removed.
 */
export async function removeDeadTemporaries(
  folder: string,
  options: RemoveDeadTemporariesOptions = {},
): Promise<string[]> {
  const { fs = nodeFileSystem, dryRun = false } = options;
  const removed: string[] = [];
  try {
    for (const name of await fs.readdir(folder)) {
      const match = pattern.exec(name);
      if (match === null) continue;
      const owner = { ...processIdentity(), pid: Number(match[1]), startTime: match[2] ?? "" };
      if (isProcessAlive(owner)) continue;
      if (!dryRun) await fs.unlink(join(folder, name));
      removed.push(name);
    }
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") {
      throw toIoError(error, { action: "cannot clean up", path: folder });
    }
  }
  return removed;
}
