import { definePlan, type StagedPlan, type Task } from "@box/pipeline";
import type { OverlayEvent } from "@box/rootfs";
import { containerRootfsPrep } from "./container-rootfs-prep.ts";
import { filesystemSetup } from "./filesystem-setup.ts";
import { guestRootfsInit } from "./guest-rootfs-init.ts";
import {
  boxKey,
  type containerRootfsKey,
  type guestRootfsKey,
  type layoutKey,
  policyKey,
} from "./keys.ts";
import type { InitServices } from "./services.ts";

/** What the init pipeline is given. */
export type InitInputs = typeof boxKey | typeof policyKey;

/** Everything that is there when the init pipeline is done. */
export type InitValues =
  | InitInputs
  | typeof layoutKey
  | typeof containerRootfsKey
  | typeof guestRootfsKey;

/** The tasks of the init pipeline, bound to a runtime. */
export interface InitTasks {
  /** `filesystem_setup`. */
  readonly filesystemSetup: Task<typeof boxKey, typeof layoutKey, never>;
  /** `container_rootfs_prep`. */
  readonly containerRootfsPrep: Task<
    typeof boxKey | typeof layoutKey | typeof policyKey,
    typeof containerRootfsKey,
    OverlayEvent
  >;
  /** `guest_rootfs_init`. */
  readonly guestRootfsInit: Task<
    typeof boxKey | typeof layoutKey,
    typeof guestRootfsKey,
    OverlayEvent
  >;
}

/** Makes the tasks of the init pipeline. */
export function initTasks(services: InitServices): InitTasks {
  return {
    filesystemSetup: filesystemSetup(services),
    containerRootfsPrep: containerRootfsPrep(services),
    guestRootfsInit: guestRootfsInit(services),
  };
}

/** The init pipeline up to the VM: the folders, then both disks side by side. */
export function initPlan(
  name: string,
  tasks: InitTasks,
): StagedPlan<InitInputs, InitValues, OverlayEvent> {
  return definePlan({ name, inputs: [boxKey, policyKey] })
    .stage([tasks.filesystemSetup])
    .stage([tasks.containerRootfsPrep, tasks.guestRootfsInit]);
}
