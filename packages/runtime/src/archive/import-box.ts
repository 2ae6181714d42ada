import { kindOf } from "@box/errors";
import type { OpenFile } from "@box/io";
import { createFileDurably, ensureDirectory, openFile } from "@box/io/node";
import type { TaskContext } from "@box/pipeline";
import type { BoxDetails, DiskBase } from "../boxes/box.ts";
import { lockNewBox } from "../boxes/box-lock.ts";
import type { ImportBoxOptions } from "../boxes/box-options.ts";
import { describeBox } from "../boxes/describe-box.ts";
import { checkLabels } from "../boxes/labels.ts";
import { checkBoxName, nameTaken } from "../boxes/name.ts";
import { type BoxServices, runChange } from "../boxes/recorded-work.ts";
import { clearAbandonedBoxes } from "../boxes/recover.ts";
import { removeBoxFiles, removeBoxLock } from "../boxes/remove-files.ts";
import { checkRunSettings } from "../boxes/run-settings.ts";
import { pathOfDisk, requireSoundDisks } from "../disks/sound-disk.ts";
import type { BoxOwnEvent } from "../events.ts";
import { boxLayout } from "../home/layout.ts";
import { restoreBases } from "../restore/restore-bases.ts";
import { limitProgress } from "../source/limit-progress.ts";
import { putBase } from "../state/bases-table.ts";
import {
  deleteBox,
  findBox,
  insertBox,
  learnImages,
  moveBox,
  type NewBox,
  requireBox,
} from "../state/boxes-table.ts";
import type { StateDatabase } from "../state/database.ts";
import { putDisk, setDiskSize } from "../state/disks-table.ts";
import { copyPiece } from "./copy-piece.ts";
import { importBases } from "./import-bases.ts";
import type { ArchivedDisk, ArchiveManifest } from "./manifest.ts";
import { corrupt, type OpenArchive, readArchive } from "./read-archive.ts";

/** A box that came from an archive. */
export interface ImportedBox {
  /** The box. */
  readonly box: BoxDetails;
  /** Id of the operation. */
  readonly operation: string;
}

/**
 * Makes a box from an archive: its bases in the cache, its overlays on them. The archive is read and checked from end to end
 * before anything is made, and its disks go through the overlay rules at the end. When it fails nothing of the box is left.
 *
 * @throws RuntimeError `BOX_ARCHIVE_CORRUPT`, `BOX_ARCHIVE_TOO_NEW`, `BOX_NAME_INVALID`, `BOX_NAME_TAKEN`, `BOX_LABEL_INVALID`;
 * errors of `restore` for bases that are not in the archive; RootfsError `OVERLAY_*`; IoError.
 */
export async function importBox(
  services: BoxServices,
  path: string,
  options: ImportBoxOptions,
): Promise<ImportedBox> {
  const { home, state, clock } = services;
  await using file = await openFile(path);
  const signal = options.signal ?? new AbortController().signal;
  const archive = await readArchive(file, path, signal);
  const { manifest } = archive;
  const id = services.newId();
  const name = options.name ?? manifest.box.name;
  checkBoxName(name);
  checkLabels(manifest.box.labels);
  const run = checkRunSettings({ ...manifest.box.run, ...options.run });
  if (findBox(state.database, name) !== undefined) await clearAbandonedBoxes(home, state, name);
  const box = { id, name };
  await using _lock = await lockNewBox(home, box, `importing ${name}`);
  const work = {
    kind: "import" as const,
    begin: (database: StateDatabase) => {
      if (findBox(database, name) !== undefined) throw nameTaken(name);
      insertRecord(database, manifest, { ...box, run, nowMs: clock.now() });
    },
    run: (context: TaskContext<BoxOwnEvent>) =>
      makeDisks(services, box, { file, path, archive }, context),
    succeed: (database: StateDatabase) => moveBox(database, id, "created", { nowMs: clock.now() }),
    recover: () => removeBoxFiles(home, id),
    fail: (database: StateDatabase) => deleteBox(database, id),
  };
  try {
    const { operation } = await runChange(services, box, work, options);
    return { box: describeBox(home, state.database, requireBox(state.database, id)), operation };
  } catch (error) {
    if (findBox(state.database, id) === undefined) await removeBoxLock(home, id).catch(() => {});
    throw error;
  }
}

interface Source {
  readonly file: OpenFile;
  readonly path: string;
  readonly archive: OpenArchive;
}

function insertRecord(
  database: StateDatabase,
  { box }: ArchiveManifest,
  own: Pick<NewBox, "id" | "name" | "run" | "nowMs">,
): void {
  const { image, imageConfig, guestRootfs, diskSizeBytes, labels, autoRemove } = box;
  insertBox(database, {
    ...own,
    ...{ imageReference: image.reference, guestRootfs, labels, autoRemove },
    ...(diskSizeBytes === undefined ? {} : { diskSizeBytes }),
  });
  learnImages(database, own.id, {
    ...(image.digest === undefined ? {} : { imageDigest: image.digest }),
    ...(imageConfig === undefined ? {} : { imageConfig }),
  });
}

async function makeDisks(
  services: BoxServices,
  box: { readonly id: string; readonly name: string },
  source: Source,
  context: TaskContext<BoxOwnEvent>,
): Promise<void> {
  const { home, state, clock } = services;
  const { manifest } = source.archive;
  const bases = await importBases(services, source.file, source.archive, source.path, context);
  const baseOf = ({ base }: ArchivedDisk) => (base === undefined ? undefined : bases.get(base));
  // From here on the bases belong to the box.
  state.transaction((database) => {
    for (const disk of manifest.disks) {
      const base = baseOf(disk);
      if (base !== undefined) recordBase(database, base, manifest, disk, clock.now());
      putDisk(database, box.id, {
        role: disk.role,
        ...(base === undefined ? {} : { base }),
        virtualSizeBytes: disk.virtualSizeBytes,
        madeMs: clock.now(),
      });
    }
  });
  await restoreBases(services, requireBox(state.database, box.id), limitProgress(context, clock));
  await ensureDirectory(boxLayout(home, box.id).disks);
  for (const disk of manifest.disks) {
    await writeOverlay(source, disk, pathOfDisk(home, box.id, disk.role), baseOf(disk), context);
  }
  const sound = await requireSoundDisks(services, box, context.signal);
  state.transaction((database) => {
    for (const { role, virtualSizeBytes } of sound) {
      setDiskSize(database, box.id, role, virtualSizeBytes);
    }
  });
  context.emit({
    type: "change",
    name: "box.imported",
    level: "info",
    message: `imported box ${box.name} from ${source.path}`,
    details: { path: source.path, from: manifest.box.name },
  });
}

function recordBase(
  database: StateDatabase,
  { key = "", path, sizeBytes, digest = "" }: DiskBase,
  { box }: ArchiveManifest,
  { role }: ArchivedDisk,
  nowMs: number,
): void {
  const { guestRootfs, image } = box;
  const guest = guestRootfs.type === "disk" ? guestRootfs.imageDigest : undefined;
  const imageDigest = (role === "user" ? image.digest : guest) ?? "";
  putBase(database, { key, path, sizeBytes, digest, imageDigest }, nowMs);
}

/** Writes an overlay that names its base as it is called here: the file appears with the right name in it. */
async function writeOverlay(
  { file, path, archive }: Source,
  disk: ArchivedDisk,
  target: string,
  base: DiskBase | undefined,
  context: TaskContext<BoxOwnEvent>,
): Promise<void> {
  const { rebaseImage } = await import("@box/qcow2");
  const piece = archive.plan.pieces.find(
    ({ content }) => content.type === "disk" && content.role === disk.role,
  );
  if (piece === undefined) throw new Error("a disk has an entry");
  const fill = async (overlay: OpenFile): Promise<void> => {
    await copyPiece(file, piece, disk.digest, overlay, path, context);
    if (base === undefined) return;
    const newBacking = { name: base.path, format: base.format };
    try {
      await rebaseImage(overlay, { newBacking, isUnsafe: true, signal: context.signal });
    } catch (error) {
      if (kindOf(error) !== "corrupt") throw error;
      throw corrupt(path, `its ${disk.role} disk is damaged: ${(error as Error).message}`, error);
    }
  };
  await createFileDurably(target, fill, { exclusive: true, signal: context.signal });
}
