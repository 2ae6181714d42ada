import { existsSync } from "node:fs";
import { dirname, join, sep } from "node:path";
import { boxLayout } from "../home/layout.ts";
import { listBoxes } from "../state/boxes-table.ts";
import { type FileFacts, filesBelow, namesIn, sizesOf } from "./files.ts";
import { judgeBases } from "./judge-bases.ts";
import { collectImages, digestsOfBoxes, judgeImages, type StoredImage } from "./judge-images.ts";
import { judgeQuarantine } from "./judge-quarantine.ts";
import { findTemporaries, type TemporaryFile } from "./judge-temporaries.ts";
import type { StorageServices } from "./storage-services.ts";
import {
  noUsage,
  type StorageUsage,
  sumUsage,
  type Usage,
  type UsageGroup,
  type UsageItem,
} from "./usage.ts";

/** Measures where the space of a home goes. Changes nothing. @throws IoError; errors of images. */
export async function measureStorage(services: StorageServices): Promise<StorageUsage> {
  const temporaries = await findTemporaries(services.home);
  const isTemporary = new Set(temporaries.map(({ file }) => file.path));
  const groups = {
    images: await measureImages(services, isTemporary),
    bases: await measureBases(services),
    boxes: await measureBoxes(services, isTemporary),
    quarantine: await measureQuarantine(services),
    temporary: measureTemporaries(temporaries),
  };
  return { total: sumUsage(Object.values(groups)), ...groups };
}

async function measureImages(
  { home, state, clock, imageStore }: StorageServices,
  isTemporary: ReadonlySet<string>,
): Promise<UsageGroup> {
  const files = (await filesBelow(home.images)).filter(({ path }) => !isTemporary.has(path));
  // Looking does not make a store.
  if (!existsSync(join(home.images, "oci-layout"))) return groupOf([], unique(files));
  const store = await imageStore();
  const users = digestsOfBoxes(state.database);
  const images = await judgeImages(store, users);
  const garbage = await collectImages(store, users, { nowMs: clock.now(), dryRun: true });
  const removable = new Set<string>(
    garbage.removed.map(({ digest }) => store.layout.blobPath(digest)),
  );
  const blobs = sizesOf(files.filter(({ path }) => removable.has(path)));
  const reclaimableBytes = blobs.allocatedBytes + garbage.leftoverBytes;
  const sharedPaths = pathsInSeveral(images);
  const { allocatedBytes: sharedBytes } = sizesOf(
    files.filter(({ path }) => sharedPaths.has(path)),
  );
  const whole = unique(files);
  return groupOf(
    images.map((image) => imageItem(image, sharedPaths)),
    {
      ...whole,
      sharedBytes,
      uniqueBytes: whole.allocatedBytes - sharedBytes,
      reclaimableBytes,
    },
  );
}

function imageItem({ name, blobs, usedBy }: StoredImage, shared: ReadonlySet<string>): UsageItem {
  const files = [...blobs.values()];
  const sharedBytes = sizesOf(files.filter(({ path }) => shared.has(path))).allocatedBytes;
  const sizes = unique(files);
  return { name, usedBy, ...sizes, sharedBytes, uniqueBytes: sizes.uniqueBytes - sharedBytes };
}

function pathsInSeveral(images: readonly StoredImage[]): ReadonlySet<string> {
  const seen = new Set<string>();
  const several = new Set<string>();
  for (const { blobs } of images) {
    for (const { path } of blobs.values()) (seen.has(path) ? several : seen).add(path);
  }
  return several;
}

async function measureBases(services: StorageServices): Promise<UsageGroup> {
  const items = (await judgeBases(services, new Set())).map(({ key, files, usedBy }): UsageItem => {
    const sizes = unique(files);
    const isShared = usedBy.length > 1;
    return {
      name: key,
      usedBy,
      ...sizes,
      sharedBytes: isShared ? sizes.allocatedBytes : 0,
      uniqueBytes: isShared ? 0 : sizes.allocatedBytes,
      reclaimableBytes: usedBy.length === 0 ? sizes.allocatedBytes : 0,
    };
  });
  return groupOf(items, sumUsage(items));
}

async function measureBoxes(
  { home, state }: StorageServices,
  isTemporary: ReadonlySet<string>,
): Promise<UsageGroup> {
  const items: UsageItem[] = [];
  // The folders come first: a box has its row before it has a folder.
  const ids = await namesIn(home.boxes);
  const boxes = new Map(listBoxes(state.database).map((box) => [box.id, box]));
  const strays = ids.filter((id) => !boxes.has(id));
  for (const id of [...boxes.keys(), ...strays]) {
    const { root, quarantine } = boxLayout(home, id);
    const { name = root, state: where } = boxes.get(id) ?? {};
    const files = (await filesBelow(root)).filter(
      ({ path }) => !path.startsWith(quarantine + sep) && !isTemporary.has(path),
    );
    // It was removed just now.
    if (where === undefined && files.length === 0) continue;
    const user =
      where === undefined ? "a folder of no known box" : `box ${name}, which is ${where}`;
    items.push({ name, usedBy: [user], ...unique(files) });
  }
  return groupOf(items, sumUsage(items));
}

async function measureQuarantine(services: StorageServices): Promise<UsageGroup> {
  const judged = await judgeQuarantine(services, undefined);
  const items = judged.map(({ file, box, keptBecause = "" }): UsageItem => {
    const owner = box === undefined ? dirname(file.path) : `box ${box.name}`;
    return { name: file.path, usedBy: [`${owner}: ${keptBecause}`], ...unique([file]) };
  });
  return groupOf(items, sumUsage(items));
}

function measureTemporaries(found: readonly TemporaryFile[]): UsageGroup {
  const items = found.map(({ file, isDead }): UsageItem => {
    const sizes = unique([file]);
    const reclaimableBytes = isDead ? sizes.allocatedBytes : 0;
    const usedBy = isDead ? [] : ["a process that may be alive"];
    return { name: file.path, usedBy, ...sizes, reclaimableBytes };
  });
  return groupOf(items, sumUsage(items));
}

/** Files that nothing else of their kind uses. */
function unique(files: readonly FileFacts[]): Usage {
  const sizes = sizesOf(files);
  return { ...noUsage, ...sizes, uniqueBytes: sizes.allocatedBytes };
}

function groupOf(items: readonly UsageItem[], sum: Usage): UsageGroup {
  return { ...sum, items };
}
