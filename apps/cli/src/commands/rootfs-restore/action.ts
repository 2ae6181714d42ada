import type { RestoredBox } from "@box/runtime";
import { followedBy, openRuntime } from "../../boxes/open-runtime.ts";
import type { CommandContext } from "../../command/define-command.ts";
import { formatFields } from "../../output/table.ts";
import type { RootfsRestoreInput } from "./schemas.ts";

/** Makes the lost bases again. */
export async function run(
  { name }: RootfsRestoreInput,
  context: CommandContext,
): Promise<RestoredBox> {
  await using runtime = await openRuntime(context);
  return await runtime.boxes.restore(name, await followedBy(context));
}

/** One line for the base of each disk. */
export function text({ bases }: RestoredBox): string {
  return formatFields(
    bases.map(({ disk, path, outcome }) => [
      disk === "user" ? "disk" : "guest disk",
      `${outcome === "kept" ? "base was there" : "base restored"}: ${path}`,
    ]),
  );
}

/** The box's name. */
export function identifiers({ name }: RestoredBox): readonly string[] {
  return [name];
}
