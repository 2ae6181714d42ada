import type { Dirent } from "node:fs";
import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf, nodeFileSystem, toIoError } from "@box/io/node";

/** A file as the file system shows it. */
export interface FileFacts {
  /** Its path. */
  readonly path: string;
  /** Device and inode: two names of one file share it. */
  readonly identity: string;
  /** Its size in bytes. */
  readonly logicalBytes: number;
  /** What it occupies, in bytes. */
  readonly allocatedBytes: number;
  /** When its inode last changed, in milliseconds since 1970: a rename counts, as when it was moved aside. */
  readonly changedMs: number;
}

const blockBytes = 512n;

/** Facts of a name itself; nothing when there is none. @throws IoError. */
export async function readFileFacts(path: string): Promise<FileFacts | undefined> {
  try {
    const facts = await lstat(path, { bigint: true });
    return {
      path,
      identity: `${facts.dev}:${facts.ino}`,
      logicalBytes: Number(facts.size),
      allocatedBytes: Number(facts.blocks * blockBytes),
      changedMs: Number(facts.ctimeMs),
    };
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw toIoError(error, { action: "cannot look at", path });
  }
}

/**
 * Every file below a folder, the folders left out; symbolic links are not followed. What vanishes meanwhile is left out.
 *
 * @throws IoError.
 */
export async function filesBelow(folder: string): Promise<FileFacts[]> {
  const found: FileFacts[] = [];
  for (const entry of await entriesOf(folder)) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) found.push(...(await filesBelow(path)));
    else {
      const facts = await readFileFacts(path);
      if (facts !== undefined) found.push(facts);
    }
  }
  return found;
}

/** Names in a folder, sorted; none when there is no such folder. @throws IoError. */
export async function namesIn(folder: string): Promise<string[]> {
  return (await unlessMissing(folder, () => nodeFileSystem.readdir(folder))).sort();
}

async function entriesOf(folder: string): Promise<Dirent[]> {
  const entries = await unlessMissing(folder, () => readdir(folder, { withFileTypes: true }));
  return entries.sort((a, b) => (a.name < b.name ? -1 : 1));
}

async function unlessMissing<Entry>(
  folder: string,
  list: () => Promise<Entry[]>,
): Promise<Entry[]> {
  try {
    return await list();
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return [];
    throw toIoError(error, { action: "cannot look into", path: folder });
  }
}

/** Sizes of files together, each inode once. */
export function sizesOf(
  files: readonly FileFacts[],
): Pick<FileFacts, "logicalBytes" | "allocatedBytes"> {
  const byIdentity = new Map(files.map((file) => [file.identity, file]));
  let logicalBytes = 0;
  let allocatedBytes = 0;
  for (const file of byIdentity.values()) {
    logicalBytes += file.logicalBytes;
    allocatedBytes += file.allocatedBytes;
  }
  return { logicalBytes, allocatedBytes };
}
