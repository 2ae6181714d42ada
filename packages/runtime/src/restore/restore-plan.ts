import { definePlan, defineTask, type Key, key, type StagedPlan } from "@box/pipeline";
import type { BoxRecord } from "../boxes/box.ts";
import { diskGraceMs } from "../init/container-rootfs-prep.ts";
import type { InitServices } from "../init/services.ts";
import { limitProgress } from "../source/limit-progress.ts";
import { type RestoredBase, restoreBases } from "./restore-bases.ts";

/** What became of the bases of a box. */
const restoredBasesKey: Key<"restored_bases", readonly RestoredBase[]> = key("restored_bases");

/** Everything that is there when the plan is done. */
export type RestoreValues = typeof restoredBasesKey;

/** Makes the lost bases of a box again, as a plan, so that it tells what it does like every other operation. */
export function restorePlan(
  services: InitServices,
  box: BoxRecord,
): StagedPlan<never, RestoreValues, never> {
  const restore = defineTask({
    name: "bases_restore",
    label: "bases",
    provides: [restoredBasesKey],
    graceMs: diskGraceMs,
    run: async (_, context) => ({
      restored_bases: await restoreBases(services, box, limitProgress(context, services.clock)),
    }),
  });
  return definePlan({ name: "restore" }).stage([restore]);
}
