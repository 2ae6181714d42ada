import type { ExecExit } from "@box/vm";
import { openRuntime } from "../../boxes/open-runtime.ts";
import type { CommandContext } from "../../command/define-command.ts";
import { execRequest } from "../../machines/exec-input.ts";
import { requireTerminal, runInBox, withRunExitCodes } from "../../machines/run-in-box.ts";
import type { BoxExecInput } from "./schemas.ts";

/** Runs the command. */
export async function run(input: BoxExecInput, context: CommandContext): Promise<ExecExit> {
  const { name, command, interactive = false, tty = false } = input;
  return withRunExitCodes(async () => {
    if (tty) requireTerminal(context);
    await using runtime = await openRuntime(context);
    const request = execRequest(command, input, context.env);
    return await runInBox(runtime, name, { interactive, tty, request }, context);
  });
}

/** Nothing: the command has printed what it had to say. */
export function text(): string {
  return "";
}

/** Nothing either. */
export function identifiers(): readonly string[] {
  return [];
}

/** That of the command. */
export function exitCode(exit: ExecExit): number {
  return exit.exitCode;
}
