import { randomBytes } from "node:crypto";
import { dirname, join } from "node:path";
import type { FileSystem } from "./file-system.ts";
import { errnoOf, toIoError } from "./io-error.ts";
import { nodeFileSystem } from "./node-file-system.ts";
import { isProcessAlive, type ProcessIdentity, processIdentity } from "./process-identity.ts";

/** A process, when it started, its pid namespace and how its boot's id begins; earlier versions left the last two out. */
const pattern = /^\.tmp-(\d{1,10})-(\d*)-(?:(\d*)-([0-9a-f]{0,8})-)?[0-9a-f]{16}$/;

/** A new temporary name in the folder of `path`, which tells who made it. */
export function temporaryPathFor(path: string): string {
  const own = processIdentity();
  const owner = [own.pid, own.startTime, namespaceNumber(own), bootPrefix(own)].join("-");
  return join(dirname(path), `.tmp-${owner}-${randomBytes(8).toString("hex")}`);
}

/** Who made a temporary file, as far as its name tells; what it does not tell is as with this process. */
function ownerOf(name: string): ProcessIdentity | undefined {
  const [isOne, pid, startTime = "", namespace, boot] = pattern.exec(name) ?? [];
  if (isOne === undefined) return undefined;
  const own = processIdentity();
  const isOfThisBoot = boot === undefined || boot === bootPrefix(own);
  const isOfThisNamespace = namespace === undefined || namespace === namespaceNumber(own);
  return {
    pid: Number(pid),
    startTime,
    bootId: isOfThisBoot ? own.bootId : `${boot}-`,
    pidNamespace: isOfThisNamespace ? own.pidNamespace : `pid:[${namespace}]`,
  };
}

function namespaceNumber({ pidNamespace }: ProcessIdentity): string {
  return /\d+/.exec(pidNamespace)?.[0] ?? "";
}

function bootPrefix({ bootId }: ProcessIdentity): string {
  return bootId.replaceAll("-", "").slice(0, 8);
}

/** Options of {@link removeDeadTemporaries}. */
export interface RemoveDeadTemporariesOptions {
  /** The file system calls; the host's unless given. */
  readonly fs?: FileSystem;
  /** Only finds them. */
  readonly dryRun?: boolean;
}

/**
 * Removes temporary files that dead processes left in a folder; those of live processes stay, and those of processes of this boot
 * that cannot be seen from here, as in another container.
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
      const owner = ownerOf(name);
      if (owner === undefined || isProcessAlive(owner)) continue;
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
