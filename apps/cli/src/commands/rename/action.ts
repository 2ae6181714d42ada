import { followedBy, openRuntime } from "../../boxes/open-runtime.ts";
import type { CommandContext } from "../../command/define-command.ts";
import type { PreparedOutput } from "../create/schemas.ts";
import type { RenameInput } from "./schemas.ts";

/** Gives the box its new name. */
export async function run(
  { name, newName }: RenameInput,
  context: CommandContext,
): Promise<PreparedOutput> {
  await using runtime = await openRuntime(context);
  return await runtime.boxes.rename(name, newName, await followedBy(context));
}

/** The new name. */
export function text({ box }: PreparedOutput): string {
  return box.name;
}

/** The new name. */
export function identifiers({ box }: PreparedOutput): readonly string[] {
  return [box.name];
}
