import type { PlanMetrics } from "@box/pipeline";
import type { PreparedContainerRootfs, PreparedGuestRootfs } from "../init/keys.ts";
import type { OperationOptions } from "../operations/run-operation.ts";
import type { RestoredBase } from "../restore/restore-bases.ts";
import type { PullPolicy } from "../source/image-source.ts";
import type { BoxDetails, GuestRootfsChoice } from "./box.ts";
import type { LabelFilter, Labels } from "./labels.ts";
import type { RunSettings } from "./run-settings.ts";

/** What waiting for another process that works on the same box may cost. */
export interface LockOptions {
  /** How long to wait for it in milliseconds before `BOX_IN_USE`; 30 seconds unless given, 0 does not wait. */
  readonly lockTimeoutMs?: number;
}

/** What `boxes.create` takes. */
export interface CreateBoxOptions extends OperationOptions {
  /** Reference of the image that the user's disk is made from. */
  readonly image: string;
  /** Its name; one is made up unless given. */
  readonly name?: string;
  /** The system that boots; box's own bootstrap image on a disk unless given. Recorded, and never changed silently. */
  readonly guestRootfs?: GuestRootfsChoice;
  /** Size of the user's disk in bytes; unless given 10 GiB, or as large as its base where that is more. It takes room as it is written. */
  readonly diskSizeBytes?: number;
  /** When a registry is asked for an image that may be here already; `missing` unless given. */
  readonly pull?: PullPolicy;
  /** Labels to find it by. */
  readonly labels?: Labels;
  /** Whether it goes away when it has stopped. No unless given. */
  readonly autoRemove?: boolean;
  /** How it runs: 256 MiB of memory, one processor, no program of its own and no restart unless given. */
  readonly run?: Partial<RunSettings>;
}

/** What `boxes.list` takes. */
export interface ListBoxesOptions {
  /** Only boxes that have every one of these labels. */
  readonly labels?: readonly LabelFilter[];
}

/** What `boxes.rename`, `boxes.resize` and those about snapshots take. */
export interface ChangeBoxOptions extends OperationOptions, LockOptions {}

/** What `boxes.clone` takes. */
export interface CloneBoxOptions extends OperationOptions, LockOptions {
  /** Name of the copy; one is made up unless given. */
  readonly name?: string;
}

/** What `boxes.export` takes. */
export interface ExportBoxOptions extends OperationOptions, LockOptions {
  /** Whether the contents of the bases go along; yes unless said otherwise: without them they are built from their images. */
  readonly withBases?: boolean;
}

/** What `boxes.import` takes. */
export interface ImportBoxOptions extends OperationOptions {
  /** Name of the box; the one in the archive unless given. */
  readonly name?: string;
  /** Its ports and its network, which an archive does not have: none that comes from somewhere else opens any here. */
  readonly run?: Pick<Partial<RunSettings>, "forwards" | "network">;
}

/** What a change of a box gives. */
export interface ChangedBox {
  /** The box as it is now. */
  readonly box: BoxDetails;
  /** Id of the operation. */
  readonly operation: string;
}

/** What `boxes.prepare` takes. */
export interface PrepareBoxOptions extends OperationOptions, LockOptions {
  /** Allows a new, empty user disk where the old one is absent or corrupt. A corrupt one is kept in quarantine. */
  readonly recreateDisk?: boolean;
}

/** What `boxes.restore` takes. */
export interface RestoreBoxOptions extends OperationOptions, LockOptions {}

/** What `boxes.remove` takes. */
export interface RemoveBoxOptions extends OperationOptions, LockOptions {}

/** What creating or preparing a box gives. */
export interface PreparedBox {
  /** The box as it is now. */
  readonly box: BoxDetails;
  /** Id of the operation. */
  readonly operation: string;
  /** The user's side: its disk, and what to run. */
  readonly container: PreparedContainerRootfs;
  /** The system's side. */
  readonly guest: PreparedGuestRootfs;
  /** How long everything took. */
  readonly metrics: PlanMetrics;
}

/** What restoring the bases of a box gives. */
export interface RestoredBox {
  /** The box. */
  readonly id: string;
  /** Its name. */
  readonly name: string;
  /** Id of the operation. */
  readonly operation: string;
  /** What became of the base of each disk; none for a disk without a base. */
  readonly bases: readonly RestoredBase[];
}

/** What removing a box gives. */
export interface RemovedBox {
  /** The box that was removed. */
  readonly id: string;
  /** Its name, which is free again. */
  readonly name: string;
  /** Id of the operation. */
  readonly operation: string;
}
