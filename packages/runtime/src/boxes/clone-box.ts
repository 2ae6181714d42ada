import { copyFileDurably, ensureDirectory } from "@box/io/node";
import { pathOfDisk, requireSoundDisks } from "../disks/sound-disk.ts";
import { boxLayout } from "../home/layout.ts";
import { cloneRow, deleteBox, findBox, moveBox, requireBox } from "../state/boxes-table.ts";
import { cloneDisks } from "../state/disks-table.ts";
import type { BoxDetails } from "./box.ts";
import { lockNewBox } from "./box-lock.ts";
import type { CloneBoxOptions } from "./box-options.ts";
import { lockFor, requireIdle } from "./box-work.ts";
import { describeBox } from "./describe-box.ts";
import { checkBoxName, nameTaken } from "./name.ts";
import { type BoxServices, runChange } from "./recorded-work.ts";
import { clearAbandonedBoxes } from "./recover.ts";
import { checkDisksUnused } from "./removal-plan.ts";
import { removeBoxFiles, removeBoxLock } from "./remove-files.ts";
import { checkMove } from "./states.ts";

/** A box that was made as a copy of another. */
export interface ClonedBox {
  /** The copy. */
  readonly box: BoxDetails;
  /** Id of the operation. */
  readonly operation: string;
}

/**
 * Makes a box with copies of both overlays of another, as they are: on the same bases, with the same snapshots. The other
 * box is locked meanwhile and not changed. When it fails nothing of the copy is left.
 *
 * The records of the new disks are stored before a byte is copied, so that nobody collects their bases.
 *
 * @throws RuntimeError `BOX_NOT_FOUND`, `BOX_IN_USE`, `BOX_NAME_INVALID`, `BOX_NAME_TAKEN`; RootfsError `OVERLAY_*` when a disk
 * is not sound; IoError.
 */
export async function cloneBox(
  services: BoxServices,
  nameOrId: string,
  options: CloneBoxOptions,
): Promise<ClonedBox> {
  const { home, state, clock } = services;
  const found = requireBox(state.database, nameOrId);
  const id = services.newId();
  const name = options.name ?? `box-${id.slice(0, 8)}`;
  checkBoxName(name);
  await using _source = await lockFor(services, found, "cloning", options);
  const source = await requireIdle(services, found);
  checkMove(source.name, source.state, "failed");
  await checkDisksUnused(home, source);
  if (findBox(state.database, name) !== undefined) await clearAbandonedBoxes(home, state, name);
  const copy = { id, name };
  await using _lock = await lockNewBox(home, copy, `cloning into ${name}`);
  const work = {
    kind: "clone" as const,
    begin: (database: typeof state.database) => {
      if (findBox(database, name) !== undefined) throw nameTaken(name);
      cloneRow(database, source.id, { id, name, nowMs: clock.now() });
      cloneDisks(database, source.id, id, clock.now());
    },
    run: async (context: Parameters<Parameters<typeof runChange>[2]["run"]>[0]) => {
      const { signal } = context;
      await ensureDirectory(boxLayout(home, id).disks);
      let done = 0;
      for (const { path, role } of await requireSoundDisks(services, source, signal)) {
        done += await copyFileDurably(path, pathOfDisk(home, id, role), {
          exclusive: true,
          signal,
        });
        context.progress({ done, unit: "bytes", item: role });
      }
      context.emit({
        type: "change",
        name: "box.cloned",
        level: "info",
        message: `box ${name} is a copy of box ${source.name}`,
        details: { from: source.name, fromId: source.id },
      });
    },
    succeed: (database: typeof state.database) =>
      moveBox(database, id, "created", { nowMs: clock.now() }),
    recover: () => removeBoxFiles(home, id),
    fail: (database: typeof state.database) => deleteBox(database, id),
  };
  try {
    const { operation } = await runChange(services, copy, work, options);
    return { box: describeBox(home, state.database, requireBox(state.database, id)), operation };
  } catch (error) {
    if (findBox(state.database, id) === undefined) await removeBoxLock(home, id).catch(() => {});
    throw error;
  }
}
