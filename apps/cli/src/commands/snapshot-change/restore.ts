import type { CommandContext } from "../../command/define-command.ts";
import { changeSnapshot } from "./change.ts";
import type { BoxSnapshotInput, BoxSnapshotOutput } from "./schemas.ts";

export { identifiers, text } from "./change.ts";

/** Makes the user's disk what it was. */
export function run(input: BoxSnapshotInput, context: CommandContext): Promise<BoxSnapshotOutput> {
  return changeSnapshot("restoreSnapshot", input, context);
}
