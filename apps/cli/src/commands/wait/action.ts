import type { EndedBox } from "@box/runtime";
import { openRuntime } from "../../boxes/open-runtime.ts";
import type { CommandContext } from "../../command/define-command.ts";
import type { WaitInput } from "./schemas.ts";

/** Waits until the box has stopped. */
export async function run({ name }: WaitInput, context: CommandContext): Promise<EndedBox> {
  await using runtime = await openRuntime(context);
  return await runtime.boxes.wait(name, { signal: context.signal });
}

/** The exit code of its program, else why it ended. */
export function text({ exit }: EndedBox): string {
  return exit.exitCode === undefined ? exit.reason : String(exit.exitCode);
}

/** Its name. */
export function identifiers({ name }: EndedBox): readonly string[] {
  return [name];
}
