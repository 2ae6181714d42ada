import type { CommandContext } from "../../command/define-command.ts";
import { renderPage } from "../../command/help.ts";
import type { HelpInput, HelpOutput } from "./schemas.ts";

/** Finds the page of a command or of a group. */
export async function run(
  { command = [] }: HelpInput,
  { commands }: CommandContext,
): Promise<HelpOutput> {
  return { help: renderPage(command, commands) };
}

/** The page itself. */
export function text({ help }: HelpOutput): string {
  return help;
}
