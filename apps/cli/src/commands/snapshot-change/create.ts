import type { CommandContext } from "../../command/define-command.ts";
import { changeSnapshot } from "./change.ts";
import type { BoxSnapshotInput, BoxSnapshotOutput } from "./schemas.ts";

export { identifiers, text } from "./change.ts";

/** Takes a snapshot of the user's disk. */
export function run(input: BoxSnapshotInput, context: CommandContext): Promise<BoxSnapshotOutput> {
  return changeSnapshot("createSnapshot", input, context);
}
