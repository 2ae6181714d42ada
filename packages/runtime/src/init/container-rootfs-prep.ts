import { defineTask, ownEvents, type Task } from "@box/pipeline";
import type { BaseDisk, OverlayEvent } from "@box/rootfs";
import type { BoxRecord, ImageConfig } from "../boxes/box.ts";
import {
  type ImageSource,
  type Reporter,
  type SourceImage,
  withWholeLayers,
} from "../source/image-source.ts";
import { limitProgress } from "../source/limit-progress.ts";
import { reportBase } from "../source/report-base.ts";
import { requireBox } from "../state/boxes-table.ts";
import { boxKey, containerRootfsKey, type InitPolicy, layoutKey, policyKey } from "./keys.ts";
import { prepareDisk } from "./prepare-disk.ts";
import type { InitServices } from "./services.ts";

/** A task that is told to stop may have to finish a sync first. */
export const diskGraceMs = 30_000;

/** Makes the user's disk ready: made the first time, kept when it is sound, refused when it cannot be trusted. */
export function containerRootfsPrep(
  services: InitServices,
): Task<
  typeof boxKey | typeof layoutKey | typeof policyKey,
  typeof containerRootfsKey,
  OverlayEvent
> {
  return defineTask({
    name: "container_rootfs_prep",
    label: "container rootfs",
    needs: [boxKey, layoutKey, policyKey],
    provides: [containerRootfsKey],
    events: ownEvents<OverlayEvent>(),
    graceMs: diskGraceMs,
    run: async ({ box, layout, policy }, context) => {
      const reporter = limitProgress(context, services.clock);
      const request = {
        box,
        layout,
        role: "user" as const,
        recreateDisk: policy.recreateDisk,
        ...(box.diskSizeBytes === undefined ? {} : { diskSizeBytes: box.diskSizeBytes }),
        fresh: async () => {
          const found = await ensureUserImage(services.source, box, policy, reporter);
          return withWholeLayers(found, reporter, async (image) => ({
            base: await ensureBase(services, image, reporter),
            imageDigest: image.digest,
            learned: { imageDigest: image.digest, imageConfig: image.config },
          }));
        },
      };
      const disk = await prepareDisk(services, request, context);
      const config = await configOf(services, box, policy, reporter);
      return { container_rootfs: { disk, config } };
    },
  });
}

function ensureUserImage(
  source: ImageSource,
  box: BoxRecord,
  policy: InitPolicy,
  reporter: Reporter,
): Promise<SourceImage> {
  const { reference, digest } = box.image;
  // A box stays with the image it was made from: its tag is followed once.
  const wanted = digest === undefined ? { policy: policy.pull } : { digest };
  return source.ensureImage({ reference, ...wanted }, reporter);
}

function ensureBase(
  { bases }: InitServices,
  image: SourceImage,
  reporter: Reporter,
): Promise<BaseDisk> {
  const { signal } = reporter;
  const onEvent = reportBase(reporter);
  return bases.ensure({ layers: image.layers }, { source: image.reference, signal, onEvent });
}

/** From the record, where it is from the moment the disk was made; a box that lost it asks its image. */
async function configOf(
  { state, source }: InitServices,
  box: BoxRecord,
  policy: InitPolicy,
  reporter: Reporter,
): Promise<ImageConfig> {
  const { imageConfig } = requireBox(state.database, box.id);
  return imageConfig ?? (await ensureUserImage(source, box, policy, reporter)).config;
}
