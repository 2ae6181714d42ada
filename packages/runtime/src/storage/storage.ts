import type { CollectedGarbage } from "@box/oci-images";
import type { PruneOptions, PruneReport } from "./prune-report.ts";
import type { StorageServices } from "./storage-services.ts";
import type { StorageUsage } from "./usage.ts";

/**
 * The space of a home: where it goes, and what can be had back. Made by `Runtime.open`.
 *
 * What finds it out is loaded late: most programs make and look at boxes only.
 */
export class Storage {
  readonly #services: StorageServices;

  constructor(services: StorageServices) {
    this.#services = services;
  }

  /**
   * Measures images, bases, boxes and quarantine. Blocks that files share below the file system (reflinks) count in each.
   *
   * @throws IoError; errors of images.
   */
  async usage(): Promise<StorageUsage> {
    const { measureStorage } = await import("./measure.ts");
    return measureStorage(this.#services);
  }

  /**
   * Removes what nothing uses: base disks without boxes, blobs without images, quarantined disks from an age on, and
   * temporary files of dead processes. Safe while other processes create boxes.
   *
   * @throws IoError; errors of images; RuntimeError `STATE_*`.
   */
  async prune(options: PruneOptions = {}): Promise<PruneReport> {
    const { prune } = await import("./prune.ts");
    return prune(this.#services, options);
  }

  /**
   * Removes blobs that no name and no box leads to.
   *
   * @param options - `graceMs`: blobs that came more recently stay.
   */
  async collectImages(options: {
    readonly graceMs: number;
    readonly signal?: AbortSignal;
  }): Promise<CollectedGarbage> {
    const { state, clock, imageStore } = this.#services;
    const { collectImages, digestsOfBoxes } = await import("./judge-images.ts");
    const users = digestsOfBoxes(state.database);
    const nowMs = clock.now();
    return collectImages(await imageStore(), users, { ...options, nowMs, dryRun: false });
  }
}
