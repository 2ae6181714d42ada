import { defineTask, ownEvents, type Task } from "@box/pipeline";
import type { EnvironmentEntry, OverlayEvent } from "@box/rootfs";
import type { BoxRecord, GuestRootfsRecord } from "../boxes/box.ts";
import type { BootstrapRequest, DiskBootstrap } from "../source/bootstraps.ts";
import type { Reporter } from "../source/image-source.ts";
import { limitProgress } from "../source/limit-progress.ts";
import { requireBox } from "../state/boxes-table.ts";
import { diskGraceMs } from "./container-rootfs-prep.ts";
import { boxKey, guestRootfsKey, layoutKey } from "./keys.ts";
import { prepareDisk } from "./prepare-disk.ts";
import type { InitServices } from "./services.ts";

/**
 * Makes the system that boots ready, by the strategy that the box was created with.
 *
 * `disk`: an overlay on the base of the bootstrap image, which is initialised once per runtime and only when an overlay has
 * to be made. `initramfs`: nothing but the choice itself, and no disk.
 */
export function guestRootfsInit(
  services: InitServices,
): Task<typeof boxKey | typeof layoutKey, typeof guestRootfsKey, OverlayEvent> {
  return defineTask({
    name: "guest_rootfs_init",
    label: "guest rootfs",
    needs: [boxKey, layoutKey],
    provides: [guestRootfsKey],
    events: ownEvents<OverlayEvent>(),
    graceMs: diskGraceMs,
    run: async ({ box, layout }, context) => {
      const { guestRootfs } = box;
      if (guestRootfs.type === "initramfs") return { guest_rootfs: { type: "initramfs" } };
      const reporter = limitProgress(context, services.clock);
      const request = {
        box,
        layout,
        role: "guest" as const,
        recreateDisk: false,
        fresh: async () => {
          const found = await services.bootstraps.get(bootstrapOf(guestRootfs), reporter);
          const { base, imageDigest } = found;
          return { base, imageDigest, learned: { guestRootfs: learned(guestRootfs, found) } };
        },
      };
      const disk = await prepareDisk(services, request, context);
      const environment = await environmentOf(services, box, reporter);
      return { guest_rootfs: { type: "disk", disk, environment } };
    },
  });
}

type DiskStrategy = Extract<GuestRootfsRecord, { readonly type: "disk" }>;

/** Box's own bootstrap image may be newer than the one that the box was made with; any other stays the same. */
function bootstrapOf({ reference, imageDigest }: DiskStrategy): BootstrapRequest {
  if (reference === undefined) return {};
  return { reference, ...(imageDigest === undefined ? {} : { digest: imageDigest }) };
}

function learned(
  strategy: DiskStrategy,
  { imageDigest, environment }: DiskBootstrap,
): GuestRootfsRecord {
  return { ...strategy, imageDigest, environment };
}

/** From the record, where it is from the moment the disk was made; a box that lost it asks its image. */
async function environmentOf(
  { state, bootstraps }: InitServices,
  box: BoxRecord,
  reporter: Reporter,
): Promise<readonly EnvironmentEntry[]> {
  const { guestRootfs } = requireBox(state.database, box.id);
  if (guestRootfs.type === "initramfs") return [];
  if (guestRootfs.environment !== undefined) return guestRootfs.environment;
  return (await bootstraps.get(bootstrapOf(guestRootfs), reporter)).environment;
}
