import type { CommandContext } from "../../command/define-command.ts";
import { changeSnapshots } from "./change.ts";
import type { SnapshotChangeInput, SnapshotChangeOutput } from "./schemas.ts";

export { identifiers, text } from "./change.ts";

/** Takes a snapshot of the disk as it is now. */
export function run(
  input: SnapshotChangeInput,
  context: CommandContext,
): Promise<SnapshotChangeOutput> {
  return changeSnapshots(input, context, "taken", (image) =>
    image.createSnapshot(input.name, { date: new Date() }),
  );
}
