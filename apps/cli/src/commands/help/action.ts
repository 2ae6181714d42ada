import type { CommandContext } from "../../command/define-command.ts";
import { findCommand } from "../../command/find.ts";
import { renderGroupHelp, renderHelp } from "../../command/help.ts";
import type { HelpInput, HelpOutput } from "./schemas.ts";

/** Finds the page of a command or of a group. */
export async function run(
  { command = [] }: HelpInput,
  context: CommandContext,
): Promise<HelpOutput> {
  const isGroup = context.commands.some(
    ({ path }) => path.length > command.length && command.every((word, at) => path[at] === word),
  );
  if (isGroup) return { help: renderGroupHelp(command, context.commands) };
  return { help: renderHelp(findCommand(command, context.commands)) };
}

/** The page itself. */
export function text({ help }: HelpOutput): string {
  return help;
}
