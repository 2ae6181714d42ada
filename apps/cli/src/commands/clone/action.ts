import { describeBox } from "../../boxes/describe-box.ts";
import { followedBy, openRuntime } from "../../boxes/open-runtime.ts";
import type { CommandContext } from "../../command/define-command.ts";
import type { PreparedOutput } from "../create/schemas.ts";
import type { CloneInput } from "./schemas.ts";

/** Makes the copy. */
export async function run(
  { name, copy }: CloneInput,
  context: CommandContext,
): Promise<PreparedOutput> {
  await using runtime = await openRuntime(context);
  return await runtime.boxes.clone(name, {
    ...(copy === undefined ? {} : { name: copy }),
    ...(await followedBy(context)),
  });
}

/** The copy for people. */
export function text({ box }: PreparedOutput): string {
  return describeBox(box);
}

/** Its name. */
export function identifiers({ box }: PreparedOutput): readonly string[] {
  return [box.name];
}
