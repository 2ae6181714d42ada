import { openRuntime } from "../../boxes/open-runtime.ts";
import type { CommandContext } from "../../command/define-command.ts";
import { parseCopyEnds } from "../../files/copy-ends.ts";
import { copyIntoBox } from "../../files/copy-into-box.ts";
import { copyOutOfBox } from "../../files/copy-out-of-box.ts";
import { flatMemory } from "../../host/flat-memory.ts";
import type { CpInput } from "./schemas.ts";

/** Copies into a box or out of one. */
export async function run(input: CpInput, context: CommandContext): Promise<undefined> {
  const { archive = false, followLink = false } = input;
  const { source, target } = parseCopyEnds(input.source, input.target);
  const options = { keepsOwners: archive, follows: followLink };
  using _memory = flatMemory();
  await using runtime = await openRuntime(context);
  if (target.type === "box") await copyIntoBox(runtime, source, target, options, context);
  else if (source.type === "box") await copyOutOfBox(runtime, source, target, options, context);
}

/** Nothing. */
export function text(): string {
  return "";
}
