import type { CommandContext } from "../../command/define-command.ts";
import { changeSnapshots, findSnapshot } from "./change.ts";
import type { SnapshotChangeInput, SnapshotChangeOutput } from "./schemas.ts";

export { identifiers, text } from "./change.ts";

/** Makes the disk what it was when the snapshot was taken. */
export function run(
  input: SnapshotChangeInput,
  context: CommandContext,
): Promise<SnapshotChangeOutput> {
  return changeSnapshots(input, context, "applied", async (image) => {
    const snapshot = await findSnapshot(image, input.name);
    await image.applySnapshot(snapshot.idBytes);
    return snapshot;
  });
}
