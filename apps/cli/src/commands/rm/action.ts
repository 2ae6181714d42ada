import { exitCodeOf, isBoxError } from "@box/errors";
import { followedBy, openRuntime } from "../../boxes/open-runtime.ts";
import type { CommandContext } from "../../command/define-command.ts";
import type { RmInput, RmOutput } from "./schemas.ts";

/** Removes every box that it can; one failure does not save the others. */
export async function run(
  { names, force = false }: RmInput,
  context: CommandContext,
): Promise<RmOutput> {
  const removed: string[] = [];
  const failed: string[] = [];
  let firstExitCode = 0;
  await using runtime = await openRuntime(context);
  for (const name of new Set(names)) {
    try {
      context.signal.throwIfAborted();
      removed.push((await runtime.boxes.remove(name, await followedBy(context))).name);
    } catch (error) {
      if (context.signal.aborted) throw error;
      if (force && isBoxError(error) && error.code === "BOX_NOT_FOUND") continue;
      failed.push(name);
      firstExitCode ||= exitCodeOf(error);
      await context.reportError(error);
    }
  }
  return { removed, failed, exitCode: firstExitCode };
}

/** The names of those that are gone. */
export function text({ removed }: RmOutput): string {
  return removed.join("\n");
}

/** That of the first failure. */
export function exitCode(output: RmOutput): number {
  return output.exitCode;
}
