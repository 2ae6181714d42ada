import { lstat, rmdir } from "node:fs/promises";
import { nodeFileSystem, openFile, toIoError } from "@box/io/node";
import { type DiskRole, digestOf, diskRoles, judgeBase } from "@box/rootfs";
import type { BoxRecord, DiskBase } from "../boxes/box.ts";
import type { InitServices } from "../init/services.ts";
import { type Reporter, withWholeLayers } from "../source/image-source.ts";
import { reportBase } from "../source/report-base.ts";
import { getDisk } from "../state/disks-table.ts";
import { type BaseSource, sourceOfBase } from "./source-of-base.ts";

/** What is wrong with a base that has to be made again. */
export type LostBaseState = "missing" | "not-regular" | "other-size" | "other-content";

/** What became of the base of one disk. */
export interface RestoredBase {
  /** Whose disk is on it. */
  readonly disk: DiskRole;
  /** Its recorded path. */
  readonly path: string;
  /** `kept`: it was there, as recorded from end to end, and was not touched; `restored`: it was made again. */
  readonly outcome: "kept" | "restored";
  /** What was found in its place; absent when it was kept. */
  readonly found?: LostBaseState;
}

/**
 * Makes those bases of a box again that are missing, not regular files or of another size or content than recorded, each
 * at its recorded path and only to its recorded content. Reads those that are there from end to end; touches no overlay.
 *
 * Every image is at hand before the first base is made, so that one that cannot be had leaves everything as it was.
 *
 * @throws RuntimeError `BOX_BASE_FOREIGN`, `BOX_BASE_CHANGED`, `BOX_IMAGE_CHANGED`; RootfsError
 * `ROOTFS_BASE_DIGEST_MISMATCH`; errors of images; IoError.
 */
export async function restoreBases(
  services: InitServices,
  box: BoxRecord,
  reporter: Reporter,
): Promise<readonly RestoredBase[]> {
  const disks = await judgeDisks(services, box, reporter.signal);
  const sources = new Map<JudgedDisk, BaseSource>();
  for (const disk of disks) {
    const { role, base, found } = disk;
    if (found === undefined) {
      reporter.cached(`the base of the ${role} disk is there: ${base.path}`, { path: base.path });
      continue;
    }
    const message = `the base of the ${role} disk is ${describeLost[found]}: ${base.path}`;
    reporter.warn({ message, details: { path: base.path, found } });
    sources.set(disk, await sourceOfBase(services, box, disk, reporter));
  }
  for (const [disk, source] of sources) await makeAgain(services, disk, source, reporter);
  return disks.map(({ role, base: { path }, found }) =>
    found === undefined
      ? { disk: role, path, outcome: "kept" }
      : { disk: role, path, outcome: "restored", found },
  );
}

interface JudgedDisk {
  readonly role: DiskRole;
  readonly base: DiskBase;
  readonly found: LostBaseState | undefined;
}

const describeLost: Readonly<Record<LostBaseState, string>> = {
  missing: "missing",
  "not-regular": "not a regular file",
  "other-size": "not of its recorded size",
  "other-content": "not of its recorded content",
};

async function judgeDisks(
  { state }: InitServices,
  box: BoxRecord,
  signal: AbortSignal,
): Promise<JudgedDisk[]> {
  const judged: JudgedDisk[] = [];
  for (const role of diskRoles) {
    const base = getDisk(state.database, box.id, role)?.base;
    if (base === undefined) continue;
    const finding = await judgeBase(nodeFileSystem, base);
    switch (finding.state) {
      case "missing":
      case "not-regular":
      case "other-size":
        judged.push({ role, base, found: finding.state });
        break;
      case "io-error":
        // It may be whole: replacing what cannot be read is not for this program to decide.
        throw finding.cause;
      default:
        judged.push({
          ...{ role, base },
          found: (await isAsRecorded(base, signal)) ? undefined : "other-content",
        });
    }
  }
  return judged;
}

/** Reads a base of the recorded size; true where no content is recorded. */
async function isAsRecorded(
  { path, digest, sizeBytes }: DiskBase,
  signal: AbortSignal,
): Promise<boolean> {
  if (digest === undefined) return true;
  await using file = await openFile(path);
  return (await digestOf(file, sizeBytes, signal)) === digest;
}

async function makeAgain(
  { bases }: InitServices,
  { role, base, found }: JudgedDisk,
  { recipe, image, digest }: BaseSource,
  reporter: Reporter,
): Promise<void> {
  if (found === "not-regular") await removeEmptyFolder(base.path);
  await withWholeLayers(image, reporter, ({ layers, reference }) =>
    bases.restore(
      { ...recipe, layers },
      {
        source: reference,
        expectedDigest: digest,
        signal: reporter.signal,
        onEvent: reportBase(reporter),
      },
    ),
  );
  reporter.info(`restored the base of the ${role} disk: ${base.path}`, { path: base.path });
}

/** Everything but a folder is replaced by the new base in one step. A folder that holds something stays, and is told. */
async function removeEmptyFolder(path: string): Promise<void> {
  try {
    if ((await lstat(path)).isDirectory()) await rmdir(path);
  } catch (error) {
    throw toIoError(error, { action: "cannot remove what is in the place of the base", path });
  }
}
