import { followedBy, openRuntime } from "../../boxes/open-runtime.ts";
import type { CommandContext } from "../../command/define-command.ts";
import { parseGrace } from "../../machines/parse-grace.ts";
import type { StopInput, StopOutput } from "./schemas.ts";

/** Stops the box. */
export async function run(
  { name, grace }: StopInput,
  context: CommandContext,
): Promise<StopOutput> {
  const patience = parseGrace(grace);
  await using runtime = await openRuntime(context);
  const options = { ...patience, ...(await followedBy(context)) };
  const { box, step, operation } = await runtime.boxes.stop(name, options);
  return { name: box.name, step, operation };
}

/** Its name. */
export function text({ name }: StopOutput): string {
  return name;
}

/** Its name. */
export function identifiers({ name }: StopOutput): readonly string[] {
  return [name];
}
