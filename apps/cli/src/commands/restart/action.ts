import { followedBy, openRuntime } from "../../boxes/open-runtime.ts";
import type { CommandContext } from "../../command/define-command.ts";
import { parseGrace } from "../../machines/parse-grace.ts";
import { startOutput } from "../start/action.ts";
import type { RestartInput, StartOutput } from "./schemas.ts";

export { identifiers, text } from "../start/action.ts";

/** Stops the box when it runs, and starts it. */
export async function run(
  { name, grace, cold = false }: RestartInput,
  context: CommandContext,
): Promise<StartOutput> {
  const patience = parseGrace(grace);
  await using runtime = await openRuntime(context);
  const options = { ...patience, bootsAlways: cold, ...(await followedBy(context)) };
  return startOutput(await runtime.boxes.restart(name, options));
}
