import { existsSync } from "node:fs";
import { join } from "node:path";
import { isBoxError } from "@box/errors";
import { removeDeadTemporaries, removeFileDurably } from "@box/io/node";
import { lockBox } from "../boxes/box-lock.ts";
import { deleteBase } from "../state/bases-table.ts";
import { sizesOf } from "./files.ts";
import { judgeBases, type StoredBase, usesOfBase } from "./judge-bases.ts";
import { collectImages, digestsOfBoxes, judgeImages } from "./judge-images.ts";
import { judgeQuarantine, type QuarantinedDisk } from "./judge-quarantine.ts";
import { findTemporaries } from "./judge-temporaries.ts";
import { PruneNotes, type PruneOptions, type PruneReport } from "./prune-report.ts";
import type { StorageServices } from "./storage-services.ts";

/**
 * Removes what nothing leads to: blobs of images, base disks, disks in quarantine from an age on, temporary files of dead
 * processes. Each removal stands alone, so that a prune that dies has only removed less.
 *
 * Images come first: a manifest that cannot be read stops everything before anything is gone.
 *
 * @throws IoError; errors of images; RuntimeError `STATE_*`.
 */
export async function prune(
  services: StorageServices,
  options: PruneOptions = {},
): Promise<PruneReport> {
  const notes = new PruneNotes();
  await pruneImages(services, options, notes);
  await pruneTemporaries(services, options, notes);
  const quarantined = await pruneQuarantine(services, options, notes);
  await pruneBases(services, options, quarantined, notes);
  return notes.report(options.dryRun ?? false);
}

async function pruneImages(
  { home, state, clock, imageStore }: StorageServices,
  { dryRun = false, imageGraceMs, signal }: PruneOptions,
  notes: PruneNotes,
): Promise<void> {
  if (!existsSync(join(home.images, "oci-layout"))) return;
  const store = await imageStore();
  const users = digestsOfBoxes(state.database);
  const images = await judgeImages(store, users);
  const { removed, leftoverBytes } = await collectImages(store, users, {
    nowMs: clock.now(),
    ...(imageGraceMs === undefined ? {} : { graceMs: imageGraceMs }),
    dryRun,
    ...(signal === undefined ? {} : { signal }),
  });
  for (const { digest, size } of removed) {
    notes.remove("image", digest, size, "no image that stays leads to it");
  }
  if (leftoverBytes > 0) {
    notes.remove("image", "ingest", leftoverBytes, "the processes that made it are dead");
  }
  for (const { name, blobs, usedBy } of images) {
    notes.keep("image", name, sizesOf([...blobs.values()]).allocatedBytes, usedBy);
  }
  const told = new Set<string>([
    ...removed.map(({ digest }) => digest),
    ...images.flatMap(({ blobs }) => [...blobs.keys()]),
  ]);
  for await (const { digest, size } of store.layout.blobs()) {
    if (!told.has(digest)) {
      notes.keep("image", digest, size, [
        "it is attached to an image, or so new that one may be about to name it",
      ]);
    }
  }
}

async function pruneTemporaries(
  { home }: StorageServices,
  { dryRun = false, signal }: PruneOptions,
  notes: PruneNotes,
): Promise<void> {
  for (const { file, folder, isDead } of await findTemporaries(home)) {
    signal?.throwIfAborted();
    const { path, allocatedBytes } = file;
    if (!isDead) {
      notes.keep("temporary", path, allocatedBytes, ["the process that made it may be alive"]);
      continue;
    }
    if (!dryRun) await removeDeadTemporaries(folder);
    notes.remove("temporary", path, allocatedBytes, "the process that made it is dead");
  }
}

/** @returns Paths that are gone, or would be. */
async function pruneQuarantine(
  services: StorageServices,
  options: PruneOptions,
  notes: PruneNotes,
): Promise<ReadonlySet<string>> {
  const gone = new Set<string>();
  for (const disk of await judgeQuarantine(services, options.quarantineOlderThanMs)) {
    options.signal?.throwIfAborted();
    const { path, allocatedBytes } = disk.file;
    const keptBecause = disk.keptBecause ?? (await removeQuarantined(services, options, disk));
    if (keptBecause !== undefined) {
      notes.keep("quarantine", path, allocatedBytes, [keptBecause]);
      continue;
    }
    gone.add(path);
    notes.remove("quarantine", path, allocatedBytes, "it is older than the age given");
  }
  return gone;
}

/** @returns Why it stays after all. */
async function removeQuarantined(
  { home }: StorageServices,
  { dryRun = false }: PruneOptions,
  { file, box }: QuarantinedDisk,
): Promise<string | undefined> {
  try {
    const options = { command: "pruning", timeoutMs: 0 };
    // A start that fails puts back what it moved aside.
    await using _lock = box === undefined ? undefined : await lockBox(home, box, options);
    if (!dryRun) await removeFileDurably(file.path);
    return undefined;
  } catch (error) {
    if (isBoxError(error) && error.code === "BOX_IN_USE") return error.message;
    throw error;
  }
}

async function pruneBases(
  services: StorageServices,
  options: PruneOptions,
  ignored: ReadonlySet<string>,
  notes: PruneNotes,
): Promise<void> {
  for (const base of await judgeBases(services, ignored)) {
    options.signal?.throwIfAborted();
    const bytes = sizesOf(base.files).allocatedBytes;
    const users = base.usedBy.length > 0 ? base.usedBy : await removeBase(services, options, base);
    if (users.length > 0) notes.keep("base", base.key, bytes, users);
    else notes.remove("base", base.key, bytes, "no box, lease or quarantined disk uses it");
  }
}

/** @returns Who uses it after all; nobody when it is gone, or would be. */
async function removeBase(
  { state, bases }: StorageServices,
  { dryRun = false }: PruneOptions,
  base: StoredBase,
): Promise<readonly string[]> {
  if (dryRun) return [];
  let users: readonly string[] = [];
  let isAsked = false;
  await bases.remove(base.key, (remove) => {
    isAsked = true;
    // One transaction: whoever wants the base has a lease or a disk on it before, or looks for it again after.
    state.transaction((database) => {
      users = usesOfBase(database, base);
      if (users.length > 0) return;
      remove();
      deleteBase(database, base.key);
    });
  });
  return isAsked ? users : ["another process is building or reading it"];
}
