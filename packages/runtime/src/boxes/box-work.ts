import type { Lock } from "@box/io/node";
import type { TaskContext } from "@box/pipeline";
import { RuntimeError } from "../errors.ts";
import type { BoxOwnEvent } from "../events.ts";
import type { InitServices } from "../init/services.ts";
import type { OperationOptions } from "../operations/run-operation.ts";
import { requireBox } from "../state/boxes-table.ts";
import type { BoxRecord } from "./box.ts";
import { lockBox } from "./box-lock.ts";
import type { LockOptions } from "./box-options.ts";
import { type BoxServices, type RecordedWork, runChange } from "./recorded-work.ts";
import { checkDisksUnused } from "./removal-plan.ts";
import { checkMove, isInUse } from "./states.ts";

/** A change of one box that is there. */
export interface BoxChange<Result> extends Omit<RecordedWork<Result>, "run"> {
  /** What this process does, for those who wait for it. */
  readonly doing: string;
  /** Whether a disk of the box is read or written: nothing else may have one open then. */
  readonly usesDisks: boolean;
  /** Does the work. */
  run(box: BoxRecord, context: TaskContext<BoxOwnEvent>): Promise<Result>;
}

const defaultLockTimeoutMs = 30_000;

/**
 * Carries out a change of a box as an operation, under the box's lock.
 *
 * @throws RuntimeError `BOX_NOT_FOUND`, `BOX_IN_USE`, `BOX_STATE_ILLEGAL`; what the change throws.
 */
export async function changeBox<Result>(
  services: BoxServices,
  nameOrId: string,
  change: BoxChange<Result>,
  options: OperationOptions & LockOptions,
): Promise<{ readonly box: BoxRecord; readonly operation: string; readonly result: Result }> {
  const found = requireBox(services.state.database, nameOrId);
  await using _lock = await lockFor(services, found, change.doing, options);
  const box = await requireIdle(services, found);
  // Refuses a box that is being created or removed.
  checkMove(box.name, box.state, "failed");
  if (change.usesDisks) await checkDisksUnused(services.home, box);
  const run = (context: TaskContext<BoxOwnEvent>) => change.run(box, context);
  const { operation, result } = await runChange(services, box, { ...change, run }, options);
  return { box, operation, result };
}

/** Takes the lock of a box. @throws RuntimeError `BOX_IN_USE`. */
export function lockFor(
  { home }: Pick<InitServices, "home">,
  box: BoxRecord,
  doing: string,
  options: LockOptions & OperationOptions,
): Promise<Lock> {
  return lockBox(home, box, {
    command: `${doing} ${box.name}`,
    timeoutMs: options.lockTimeoutMs ?? defaultLockTimeoutMs,
    signal: options.signal,
  });
}

/**
 * The box as it is now that its lock is held, and its machine, if it had one that has ended, is put on record.
 *
 * @throws RuntimeError `BOX_NOT_FOUND`, `BOX_IN_USE`.
 */
export async function requireIdle(services: BoxServices, found: BoxRecord): Promise<BoxRecord> {
  const { database } = services.state;
  let box = requireBox(database, found.id);
  if (isInUse(box.state)) {
    const { settleBox } = await import("../machines/settle-box.ts");
    await settleBox(services, box.id);
    box = requireBox(database, box.id);
  }
  if (!isInUse(box.state)) return box;
  throw new RuntimeError({
    code: "BOX_IN_USE",
    message: `box ${box.name} is ${box.state}`,
    details: { name: box.name, state: box.state },
    hint: "stop it first",
  });
}
