import { followedBy, openRuntime } from "../../boxes/open-runtime.ts";
import type { CommandContext } from "../../command/define-command.ts";
import type { PreparedOutput, PrepareInput } from "./schemas.ts";

export { identifiers, text } from "../create/action.ts";

/** Applies the overlay rules. */
export async function run(
  { name, recreateDisk = false }: PrepareInput,
  context: CommandContext,
): Promise<PreparedOutput> {
  await using runtime = await openRuntime(context);
  const options = { recreateDisk, ...(await followedBy(context)) };
  const { box, operation } = await runtime.boxes.prepare(name, options);
  return { box, operation };
}
