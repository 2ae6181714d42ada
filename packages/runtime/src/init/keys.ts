import { type Key, key } from "@box/pipeline";
import type { EnvironmentEntry, PreparedOverlay } from "@box/rootfs";
import type { BoxRecord, ImageConfig } from "../boxes/box.ts";
import type { BoxLayout } from "../home/layout.ts";
import type { PullPolicy } from "../source/image-source.ts";

/** What the user allowed and asked for in this run of the plan. */
export interface InitPolicy {
  /** A new user disk where the old one is absent or corrupt. */
  readonly recreateDisk: boolean;
  /** When a registry is asked for an image that may be here already. */
  readonly pull: PullPolicy;
}

/** A disk that is ready for a VM. */
export type PreparedDisk = Pick<
  PreparedOverlay,
  "path" | "outcome" | "virtualSizeBytes" | "quarantinedPath"
>;

/** The user's side of a box. */
export interface PreparedContainerRootfs {
  /** Its disk. */
  readonly disk: PreparedDisk;
  /** What the image says about running its programs. */
  readonly config: ImageConfig;
}

/** The system that boots. */
export type PreparedGuestRootfs =
  | {
      readonly type: "disk";
      /** Its disk. */
      readonly disk: PreparedDisk;
      /** The environment of the image's config. */
      readonly environment: readonly EnvironmentEntry[];
    }
  | { readonly type: "initramfs" };

/** The box that the plan works on. */
export const boxKey: Key<"box", BoxRecord> = key("box");

/** What the user allowed. */
export const policyKey: Key<"policy", InitPolicy> = key("policy");

/** Where everything of the box lies, its folders made. */
export const layoutKey: Key<"layout", BoxLayout> = key("layout", { from: "filesystem" });

/** The user's side. */
export const containerRootfsKey: Key<"container_rootfs", PreparedContainerRootfs> = key(
  "container_rootfs",
  { from: "container rootfs" },
);

/** The system's side. */
export const guestRootfsKey: Key<"guest_rootfs", PreparedGuestRootfs> = key("guest_rootfs", {
  from: "guest rootfs",
});
