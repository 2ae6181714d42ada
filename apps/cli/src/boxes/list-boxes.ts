import { existsSync } from "node:fs";
import type { BoxSummary, ListBoxesOptions } from "@box/runtime";
import type { CommandContext } from "../command/define-command.ts";
import { openRuntime } from "./open-runtime.ts";

/** The boxes of a home. A home that does not exist has none, and looking does not make it. */
export async function listBoxes(
  context: CommandContext,
  options: ListBoxesOptions = {},
): Promise<readonly BoxSummary[]> {
  if (!existsSync(context.home)) return [];
  await using runtime = await openRuntime(context);
  return await runtime.boxes.list(options);
}
