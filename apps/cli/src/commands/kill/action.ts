import { followedBy, openRuntime } from "../../boxes/open-runtime.ts";
import type { CommandContext } from "../../command/define-command.ts";
import { parseSignal } from "../../machines/parse-signal.ts";
import type { KillInput, KillOutput } from "./schemas.ts";

/** Signals the box's program. */
export async function run(input: KillInput, context: CommandContext): Promise<KillOutput> {
  const signalName = parseSignal(input.signal ?? "KILL");
  await using runtime = await openRuntime(context);
  const options = { signalName, ...(await followedBy(context)) };
  const { box, reached } = await runtime.boxes.kill(input.name, options);
  return { name: box.name, reached, state: box.state };
}

/** Its name. */
export function text({ name }: KillOutput): string {
  return name;
}

/** Its name. */
export function identifiers({ name }: KillOutput): readonly string[] {
  return [name];
}
