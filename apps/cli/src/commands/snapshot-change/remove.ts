import type { CommandContext } from "../../command/define-command.ts";
import { changeSnapshot } from "./change.ts";
import type { BoxSnapshotInput, BoxSnapshotOutput } from "./schemas.ts";

export { identifiers, text } from "./change.ts";

/** Removes the snapshot. */
export function run(input: BoxSnapshotInput, context: CommandContext): Promise<BoxSnapshotOutput> {
  return changeSnapshot("removeSnapshot", input, context);
}
