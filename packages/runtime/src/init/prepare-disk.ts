import type { TaskContext } from "@box/pipeline";
import {
  type DiskRole,
  type OverlayEvent,
  type OverlayRecord,
  type PreparedOverlay,
  prepareOverlay,
  removeMadeOverlay,
} from "@box/rootfs";
import type { BoxRecord, DiskRecord } from "../boxes/box.ts";
import type { BoxLayout } from "../home/layout.ts";
import { soundness } from "../source/bootstraps.ts";
import { putBase } from "../state/bases-table.ts";
import { learnImages } from "../state/boxes-table.ts";
import type { StateDatabase } from "../state/database.ts";
import { forgetDisk, getDisk, putDisk, setDiskSize } from "../state/disks-table.ts";
import { getMachine } from "../state/machines-table.ts";
import { BaseChoice, type FreshBase } from "./base-choice.ts";
import type { PreparedDisk } from "./keys.ts";
import type { InitServices } from "./services.ts";

/** Size of a user's disk that nobody has named a size for. A base is as large as its content: a box could write nothing. */
const userDiskBytes = 10 * 1024 ** 3;

/** A disk and where it comes from. */
export interface PrepareDiskRequest {
  /** The box. */
  readonly box: BoxRecord;
  /** Where its files are. */
  readonly layout: BoxLayout;
  /** Which of its disks. */
  readonly role: DiskRole;
  /** Whether the user allowed a new disk in the place of an absent or corrupt one. */
  readonly recreateDisk: boolean;
  /** Size of a disk that is made for the first time; the base's when absent, for a user's disk at least 10 GiB. */
  readonly diskSizeBytes?: number;
  /** Fetches and builds. Asked only when a disk has to be made and its recorded base is not there. */
  fresh(): Promise<FreshBase>;
}

/**
 * Applies the overlay rules to one disk of a box and records what came of it.
 *
 * A disk that was recorded before is in reuse mode, whatever the state of the box. A disk that is made for the first time
 * goes away again when a later task fails; a kept one never does.
 */
export async function prepareDisk(
  services: InitServices,
  request: PrepareDiskRequest,
  context: TaskContext<OverlayEvent>,
): Promise<PreparedDisk> {
  const { box, layout, role } = request;
  const recorded = getDisk(services.state.database, box.id, role);
  const choice = new BaseChoice(services, request, recorded?.base, context);
  const virtualSizeBytes = recorded?.virtualSizeBytes ?? request.diskSizeBytes;
  const prepared = await prepareOverlay({
    path: role === "user" ? layout.userDisk : layout.guestDisk,
    role,
    record: recordOf(recorded),
    boxName: box.name,
    policy: { recreateDisk: request.recreateDisk },
    quarantineDirectory: layout.quarantine,
    base: () => choice.choose(),
    isBaseSound: soundness(services.bases, context),
    ...(virtualSizeBytes === undefined ? {} : { virtualSizeBytes }),
    ...(role === "user" ? { minimumSizeBytes: userDiskBytes } : {}),
    signal: context.signal,
    onEvent: (event) => context.emit(event),
  });
  if (recorded === undefined) undoMaking(services, request, prepared, context);
  if (recorded === undefined || prepared.outcome !== "kept") {
    recordDisk(services, request, prepared, choice.fresh);
  } else if (recorded.virtualSizeBytes !== prepared.virtualSizeBytes) {
    // A resize or a restored snapshot whose process died before it was recorded: the disk itself knows its size.
    const { virtualSizeBytes: size } = prepared;
    services.state.transaction((database) => setDiskSize(database, box.id, role, size));
  }
  const { path, outcome, quarantinedPath } = prepared;
  return {
    path,
    outcome,
    virtualSizeBytes: prepared.virtualSizeBytes,
    ...(quarantinedPath === undefined ? {} : { quarantinedPath }),
  };
}

function recordOf(recorded: DiskRecord | undefined): OverlayRecord {
  return recorded === undefined ? { type: "never-made" } : { type: "made", base: recorded.base };
}

/** A disk that this run made goes away when the run fails, unless somebody has used it since. */
function undoMaking(
  { state }: InitServices,
  { box, role }: PrepareDiskRequest,
  { made }: PreparedOverlay,
  context: TaskContext<OverlayEvent>,
): void {
  if (made === undefined) return;
  context.undo(async () => {
    // A machine has opened it: what the guest may have written is not ours to remove.
    if (getMachine(state.database, box.id)?.record !== undefined) return;
    if (!(await removeMadeOverlay(made))) return;
    state.transaction((database) => forgetDisk(database, box.id, role));
  });
}

function recordDisk(
  { state, clock }: InitServices,
  { box, role }: PrepareDiskRequest,
  { record, virtualSizeBytes }: PreparedOverlay,
  fresh: FreshBase | undefined,
): void {
  const nowMs = clock.now();
  const base = record.type === "made" ? record.base : undefined;
  const store = (database: StateDatabase): void => {
    if (fresh !== undefined) {
      // The canonical path is the one in the overlay.
      const path = base?.path ?? fresh.base.path;
      putBase(database, { ...fresh.base, path, imageDigest: fresh.imageDigest }, nowMs);
      learnImages(database, box.id, fresh.learned);
    }
    const key = fresh?.base.key ?? getDisk(database, box.id, role)?.base?.key;
    const keyed = base === undefined || key === undefined ? base : { ...base, key };
    putDisk(database, box.id, {
      role,
      ...(keyed === undefined ? {} : { base: keyed }),
      virtualSizeBytes,
      madeMs: nowMs,
    });
  };
  // A box that is being created counts from the commit that says it was; without that one it is removed whole.
  state.transaction(store, { sync: box.state !== "creating" });
}
