import { settlePlan } from "@box/pipeline";
import { type OperationOptions, runOperation } from "../operations/run-operation.ts";
import { deleteBox, moveBox } from "../state/boxes-table.ts";
import type { BoxRecord } from "./box.ts";
import type { RemovedBox } from "./box-options.ts";
import { type BoxServices, settingsOf, workOf } from "./recorded-work.ts";
import { checkDisksUnused, removalPlan } from "./removal-plan.ts";
import { removeBoxLock } from "./remove-files.ts";

/**
 * Removes a box that nobody uses, as an operation. The caller holds its lock. Half a box helps nobody: once it has begun it goes
 * on, even when it is told to stop.
 *
 * @throws RuntimeError `BOX_IN_USE`; the signal's reason when it is told to stop before.
 */
export async function removeIdleBox(
  services: BoxServices,
  box: BoxRecord,
  options: OperationOptions,
): Promise<RemovedBox> {
  const { home, clock } = services;
  await checkDisksUnused(home, box);
  options.signal?.throwIfAborted();
  const { id, name } = box;
  const plan = removalPlan(home, box);
  const work = workOf(services, "remove", box, options);
  await runOperation(services, {
    ...work,
    begin: (database) => moveBox(database, id, "removing", { nowMs: clock.now() }),
    run: (onEvent) => settlePlan(plan, { ...settingsOf(work, {}), clock, onEvent }),
    succeed: (database) => deleteBox(database, id),
    fail: () => {},
  });
  await removeBoxLock(home, id);
  return { id, name, operation: work.id };
}
