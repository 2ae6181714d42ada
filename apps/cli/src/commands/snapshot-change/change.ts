import type { Runtime } from "@box/runtime";
import { followedBy, openRuntime } from "../../boxes/open-runtime.ts";
import type { CommandContext } from "../../command/define-command.ts";
import type { BoxSnapshotInput, BoxSnapshotOutput } from "./schemas.ts";

/** Carries out one of the changes of a box's snapshots. */
export async function changeSnapshot(
  verb: "createSnapshot" | "restoreSnapshot" | "removeSnapshot",
  { name, snapshot: wanted }: BoxSnapshotInput,
  context: CommandContext,
): Promise<BoxSnapshotOutput> {
  await using runtime: Runtime = await openRuntime(context);
  const done = await runtime.boxes[verb](name, wanted, await followedBy(context));
  const { box, operation, snapshot } = done;
  return { name: box.name, operation, snapshot };
}

/** The snapshot's name. */
export function text({ snapshot }: BoxSnapshotOutput): string {
  return snapshot.name;
}

/** The snapshot's name. */
export function identifiers({ snapshot }: BoxSnapshotOutput): readonly string[] {
  return [snapshot.name];
}
