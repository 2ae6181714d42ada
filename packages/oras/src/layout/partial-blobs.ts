import { join } from "node:path";
import {
  acquireLockIfFree,
  errnoOf,
  type FileSystem,
  nodeFileSystem,
  toIoError,
} from "@box/io/node";
import { type Digest, digestAlgorithm, digestHex, isDigest } from "../content/digest.ts";

/** So few that the files do not pile up, so many that blobs of one pull rarely wait for each other. */
const lockStripes = 256;

/** The name of a blob's partial file. */
export function partialName(digest: Digest): string {
  return `${digestAlgorithm(digest)}-${digestHex(digest)}`;
}

/** The name of the lock that whoever writes a blob holds. */
export function blobLockName(digest: Digest): string {
  return `blob-${Number.parseInt(digestHex(digest).slice(0, 4), 16) % lockStripes}`;
}

/** Which partial files go. */
export interface RemovePartialsOptions {
  /** Those that did not change since, in milliseconds since the epoch. */
  readonly beforeMs: number;
  /** Whether they are only counted. */
  readonly dryRun?: boolean | undefined;
}

/** Where partial files are, and where blobs go when they are whole. */
export interface PartialPlaces {
  readonly folder: string;
  blobPath(digest: Digest): string;
}

/**
 * Removes partial files of blobs that nobody writes and nobody has gone on with, and at once those of blobs that are there: a
 * cut of the power may bring back the name that a whole one had before.
 *
 * @returns Their bytes.
 * @throws IoError.
 */
export async function removePartials(
  { folder, blobPath }: PartialPlaces,
  { beforeMs, dryRun }: RemovePartialsOptions,
  fs: FileSystem = nodeFileSystem,
): Promise<number> {
  let bytes = 0;
  const names = await fs.readdir(folder).catch(nothingIfAbsent("cannot list", folder));
  for (const name of names ?? []) {
    const digest = name.replace("-", ":");
    if (!isDigest(digest)) continue;
    const lock = await acquireLockIfFree(join(folder, `${blobLockName(digest)}.lock`));
    if (lock === undefined) continue;
    await using _lock = lock;
    const path = join(folder, name);
    const facts = await fs.stat(path).catch(nothingIfAbsent("cannot look at", path));
    if (facts === undefined) continue;
    if (Number(facts.mtimeMs) > beforeMs && !(await isThere(blobPath(digest), fs))) continue;
    if (dryRun !== true) await fs.unlink(path).catch(nothingIfAbsent("cannot remove", path));
    bytes += Number(facts.size);
  }
  return bytes;
}

async function isThere(path: string, fs: FileSystem): Promise<boolean> {
  return (await fs.stat(path).catch(nothingIfAbsent("cannot look at", path))) !== undefined;
}

function nothingIfAbsent(action: string, path: string): (error: unknown) => undefined {
  return (error) => {
    if (errnoOf(error) !== "ENOENT") throw toIoError(error, { action, path });
  };
}
