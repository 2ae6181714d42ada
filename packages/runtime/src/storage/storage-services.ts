import type { ImageStore } from "@box/oci-images";
import type { Clock } from "@box/pipeline";
import type { BaseCache } from "@box/rootfs";
import type { HomeLayout } from "../home/layout.ts";
import type { StateStore } from "../state/state-store.ts";

/** What measuring and pruning work with. */
export interface StorageServices {
  /** Where everything lies. */
  readonly home: HomeLayout;
  /** The state of the home. */
  readonly state: StateStore;
  /** The base disks. */
  readonly bases: BaseCache;
  /** Where time comes from. */
  readonly clock: Clock;
  /** Opens the image store. */
  readonly imageStore: () => Promise<ImageStore>;
}
