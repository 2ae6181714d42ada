import type { StartedBox } from "@box/runtime";
import { followedBy, openRuntime } from "../../boxes/open-runtime.ts";
import type { CommandContext } from "../../command/define-command.ts";
import type { StartInput, StartOutput } from "./schemas.ts";

/** Starts the box. */
export async function run(
  { name, recreateDisk = false, cold = false }: StartInput,
  context: CommandContext,
): Promise<StartOutput> {
  await using runtime = await openRuntime(context);
  const options = { recreateDisk, bootsAlways: cold, ...(await followedBy(context)) };
  return startOutput(await runtime.boxes.start(name, options));
}

/** What starting a box gave, as it is printed. */
export function startOutput({ box, outcome, machine, operation }: StartedBox): StartOutput {
  return { name: box.name, outcome, pid: machine.process.pid, operation };
}

/** Its name. */
export function text({ name }: StartOutput): string {
  return name;
}

/** Its name. */
export function identifiers({ name }: StartOutput): readonly string[] {
  return [name];
}
