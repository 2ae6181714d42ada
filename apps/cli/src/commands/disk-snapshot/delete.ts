import type { CommandContext } from "../../command/define-command.ts";
import { changeSnapshots, findSnapshot } from "./change.ts";
import type { SnapshotChangeInput, SnapshotChangeOutput } from "./schemas.ts";

export { identifiers, text } from "./change.ts";

/** Deletes the snapshot and gives back what only it used. */
export function run(
  input: SnapshotChangeInput,
  context: CommandContext,
): Promise<SnapshotChangeOutput> {
  return changeSnapshots(input, context, "deleted", async (image) => {
    const snapshot = await findSnapshot(image, input.name);
    await image.deleteSnapshot(snapshot.idBytes);
    return snapshot;
  });
}
