import { type DiskRole, diskRoles, prepareOverlay } from "@box/rootfs";
import type { BoxRecord, DiskRecord } from "../boxes/box.ts";
import { boxLayout, type HomeLayout } from "../home/layout.ts";
import type { InitServices } from "../init/services.ts";
import { getDisk } from "../state/disks-table.ts";

/** A disk of a box that was found sound. */
export interface SoundDisk {
  /** Whose disk it is. */
  readonly role: DiskRole;
  /** Where the overlay is. */
  readonly path: string;
  /** What is recorded about it. */
  readonly record: DiskRecord;
  /** Size of the virtual disk in bytes, as the disk itself says. */
  readonly virtualSizeBytes: number;
}

/**
 * Applies the overlay rules to a recorded disk and takes no other answer than "keep": whatever is wrong with a disk, also
 * with one that a start would make again, is refused here, and nothing is changed.
 *
 * @throws RootfsError `OVERLAY_*`.
 */
export async function requireSoundDisk(
  home: HomeLayout,
  box: Pick<BoxRecord, "id" | "name">,
  record: DiskRecord,
  signal: AbortSignal,
): Promise<SoundDisk> {
  const layout = boxLayout(home, box.id);
  const path = pathOfDisk(home, box.id, record.role);
  const { virtualSizeBytes } = await prepareOverlay({
    path,
    role: record.role,
    onlyKeep: true,
    record: { type: "made", base: record.base },
    boxName: box.name,
    quarantineDirectory: layout.quarantine,
    base: () => Promise.reject(new Error("a disk that is only looked at is never made")),
    signal,
  });
  return { role: record.role, path, record, virtualSizeBytes };
}

/** {@link requireSoundDisk} for every disk that a box has. */
export async function requireSoundDisks(
  { home, state }: Pick<InitServices, "home" | "state">,
  box: Pick<BoxRecord, "id" | "name">,
  signal: AbortSignal,
): Promise<readonly SoundDisk[]> {
  const disks: SoundDisk[] = [];
  for (const role of diskRoles) {
    const record = getDisk(state.database, box.id, role);
    if (record !== undefined) disks.push(await requireSoundDisk(home, box, record, signal));
  }
  return disks;
}

/** Where the overlay of a disk lies. */
export function pathOfDisk(home: HomeLayout, boxId: string, role: DiskRole): string {
  const layout = boxLayout(home, boxId);
  return role === "user" ? layout.userDisk : layout.guestDisk;
}
