import type { Clock } from "@box/pipeline";
import type { BaseCache } from "@box/rootfs";
import type { HomeLayout } from "../home/layout.ts";
import type { Bootstraps } from "../source/bootstraps.ts";
import type { ImageSource } from "../source/image-source.ts";
import type { StateStore } from "../state/state-store.ts";

/** What the tasks of the init pipeline share within a runtime. */
export interface InitServices {
  /** Where everything lies. */
  readonly home: HomeLayout;
  /** The state of the home. */
  readonly state: StateStore;
  /** Where images come from. */
  readonly source: ImageSource;
  /** Where bases are kept. */
  readonly bases: BaseCache;
  /** The guest root file systems of this runtime. */
  readonly bootstraps: Bootstraps;
  /** Where time comes from. */
  readonly clock: Clock;
  /** A new id: 32 hex digits. */
  newId(): string;
}
