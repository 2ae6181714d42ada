import { openFile } from "@box/io/node";
import type { Qcow2Image } from "@box/qcow2";
import type { BoxRecord } from "../boxes/box.ts";
import type { InitServices } from "../init/services.ts";
import { requireDisk } from "../state/disks-table.ts";
import { requireSoundDisk } from "./sound-disk.ts";

/**
 * Opens the user's disk of a box, after it was found sound, and brings what `use` does to stable storage.
 *
 * Only its recorded base is opened besides it.
 *
 * @param mode - `rw` to change it.
 * @throws RuntimeError `BOX_DISK_NOT_MADE`; RootfsError `OVERLAY_*`; Qcow2Error; IoError.
 */
export async function withUserImage<Result>(
  { home, state }: Pick<InitServices, "home" | "state">,
  box: BoxRecord,
  { mode, signal }: { readonly mode: "r" | "rw"; readonly signal: AbortSignal },
  use: (image: Qcow2Image) => Promise<Result>,
): Promise<Result> {
  const { path, record } = await requireSoundDisk(
    home,
    box,
    requireDisk(state.database, box, "user"),
    signal,
  );
  const { base } = record;
  const { allowList } = await import("@box/qcow2");
  const { openImageFile } = await import("@box/qcow2/node");
  const backing = base === undefined ? [] : [{ name: base.path, open: () => openBase(base) }];
  await using image = await openImageFile(path, { mode, backing: allowList(backing), signal });
  const result = await use(image);
  if (mode === "rw") await image.flush();
  return result;
}

async function openBase({
  path,
  format,
}: {
  readonly path: string;
  readonly format: "raw" | "qcow2";
}) {
  return { source: await openFile(path), format };
}
