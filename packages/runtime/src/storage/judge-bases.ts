import { realpath } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf, openFile, toIoError } from "@box/io/node";
import { boxLayout } from "../home/layout.ts";
import { disksOnBase } from "../state/bases-table.ts";
import { listBoxes } from "../state/boxes-table.ts";
import type { StateDatabase } from "../state/database.ts";
import { liveLeases } from "../state/leases-table.ts";
import { type FileFacts, filesBelow, namesIn, readFileFacts } from "./files.ts";
import type { StorageServices } from "./storage-services.ts";

/** A base disk in the home, whole or not, and who uses it. */
export interface StoredBase {
  /** Its key. */
  readonly key: string;
  /** The disk and its record, those that are there. */
  readonly files: readonly FileFacts[];
  /** Every path under which a disk may name it. */
  readonly paths: readonly string[];
  /** Who uses it; empty when nobody does. */
  readonly usedBy: readonly string[];
}

const namePattern = /^([0-9a-f]{64})\.(ext4|json)$/;
/** A qcow2 image names its backing file in its first cluster, right after the header. */
const headBytes = 64 * 1024;

/**
 * Finds every base and who uses it: boxes, processes that hold a lease, and disks outside the state that name it.
 *
 * A disk outside the state that cannot be read counts as a user of every base.
 *
 * @param ignored - Paths of quarantined disks that do not count.
 */
export async function judgeBases(
  services: StorageServices,
  ignored: ReadonlySet<string>,
): Promise<readonly StoredBase[]> {
  const { home, state } = services;
  const keys = new Set<string>();
  for (const name of await namesIn(home.bases)) {
    const key = namePattern.exec(name)?.[1];
    if (key !== undefined) keys.add(key);
  }
  const strays = await straysNaming(services, ignored);
  const bases: StoredBase[] = [];
  for (const key of keys) {
    const path = join(home.bases, `${key}.ext4`);
    const found = await Promise.all([path, join(home.bases, `${key}.json`)].map(readFileFacts));
    const files = found.filter((file) => file !== undefined);
    const paths = [path, join(await canonical(home.bases), `${key}.ext4`)];
    const usedBy = usesOfBase(state.database, { key, paths });
    bases.push({ key, files, paths, usedBy: [...usedBy, ...strays(key)] });
  }
  return bases;
}

/** Who uses a base according to the state. Within a transaction nobody can begin to. */
export function usesOfBase(
  database: StateDatabase,
  base: Pick<StoredBase, "key" | "paths">,
): readonly string[] {
  return [
    ...disksOnBase(database, base).map(
      ({ boxName, role }) => `${role === "user" ? "disk" : "guest disk"} of box ${boxName}`,
    ),
    ...liveLeases(database, `base:${base.key}`).map(
      ({ purpose, owner }) => `process ${owner.pid}, ${purpose}`,
    ),
  ];
}

/** Disks that no record covers: those in quarantine, and those in folders of no known box. */
async function straysNaming(
  { home, state }: StorageServices,
  ignored: ReadonlySet<string>,
): Promise<(key: string) => readonly string[]> {
  const known = new Set(listBoxes(state.database).map(({ id }) => id));
  const byKey = new Map<string, string[]>();
  const everyKey: string[] = [];
  for (const id of await namesIn(home.boxes)) {
    const { quarantine, disks } = boxLayout(home, id);
    const files = await filesBelow(quarantine);
    if (!known.has(id)) files.push(...(await filesBelow(disks)));
    for (const { path } of files.filter((file) => !ignored.has(file.path))) {
      const named = await keysNamedIn(path);
      if (named === undefined) everyKey.push(`perhaps ${path}, which cannot be read`);
      for (const key of named ?? []) {
        byKey.set(key, [...(byKey.get(key) ?? []), `${path}, which names it`]);
      }
    }
  }
  return (key) => [...(byKey.get(key) ?? []), ...everyKey];
}

/** The bases that the beginning of a disk names, however damaged it is; nothing when it cannot be read. */
async function keysNamedIn(path: string): Promise<ReadonlySet<string> | undefined> {
  try {
    await using file = await openFile(path, { followLink: false });
    const head = await file.read(0, Math.min(await file.size(), headBytes));
    const text = new TextDecoder("latin1").decode(head);
    return new Set([...text.matchAll(/([0-9a-f]{64})\.ext4/g)].map(([, key = ""]) => key));
  } catch {
    return undefined;
  }
}

async function canonical(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return path;
    throw toIoError(error, { action: "cannot look at", path });
  }
}
