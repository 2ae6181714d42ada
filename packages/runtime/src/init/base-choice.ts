import { processIdentity } from "@box/io/node";
import type { TaskContext } from "@box/pipeline";
import type { BaseDisk, DiskRole, OverlayEvent } from "@box/rootfs";
import type { BoxRecord, DiskBase } from "../boxes/box.ts";
import { isBaseThere, soundness } from "../source/bootstraps.ts";
import type { LearnedImages } from "../state/boxes-table.ts";
import { deleteLease, putLease } from "../state/leases-table.ts";
import type { InitServices } from "./services.ts";

/** A base that was fetched and built, or found in the cache. */
export interface FreshBase {
  /** The base. */
  readonly base: BaseDisk;
  /** Digest of the manifest of the image that it is made from. */
  readonly imageDigest: string;
  /** What the box's record should learn from that image. */
  readonly learned: LearnedImages;
}

/** Which disk a base is wanted for. */
export interface BaseChoiceRequest {
  /** The box. */
  readonly box: BoxRecord;
  /** Which of its disks. */
  readonly role: DiskRole;
  /** Fetches and builds. */
  fresh(): Promise<FreshBase>;
}

/** Finds the base for a disk that has to be made, and leases it until the run has ended. */
export class BaseChoice {
  /** What was fetched and built; absent while that was not needed. */
  fresh: FreshBase | undefined;
  readonly #services: InitServices;
  readonly #request: BaseChoiceRequest;
  readonly #recorded: DiskBase | undefined;
  readonly #context: TaskContext<OverlayEvent>;

  constructor(
    services: InitServices,
    request: BaseChoiceRequest,
    recorded: DiskBase | undefined,
    context: TaskContext<OverlayEvent>,
  ) {
    this.#services = services;
    this.#request = request;
    this.#recorded = recorded;
    this.#context = context;
  }

  /** The recorded base while it is there: no image and no network are needed then. */
  async choose(): Promise<{ readonly path: string; readonly sizeBytes: number }> {
    const recorded = this.#recorded;
    const isSound = soundness(this.#services.bases, this.#context);
    if (recorded?.format === "raw" && (await isBaseThere(recorded, isSound))) return recorded;
    const first = await this.#leased();
    // What was there before the lease may have been collected just then; from the lease on nobody does.
    this.fresh = (await isBaseThere(first.base)) ? first : await this.#leased();
    return this.fresh.base;
  }

  async #leased(): Promise<FreshBase> {
    const fresh = await this.#request.fresh();
    this.#lease(fresh.base.key);
    return fresh;
  }

  #lease(baseKey: string): void {
    const { state, clock } = this.#services;
    const { box, role } = this.#request;
    const lease = {
      id: this.#services.newId(),
      resource: `base:${baseKey}`,
      purpose: `making the ${role} disk of box ${box.name}`,
      owner: processIdentity(),
    };
    // A loss of power ends every process that could need the lease: nothing waits until it is on stable storage.
    const sync = false;
    state.transaction((database) => putLease(database, lease, clock.now()), { sync });
    this.#context.defer(() =>
      state.transaction((database) => deleteLease(database, lease.id), { sync }),
    );
  }
}
