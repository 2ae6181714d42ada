import type { BoxDetails } from "@box/runtime";
import { describeBox } from "../../boxes/describe-box.ts";
import { openRuntime } from "../../boxes/open-runtime.ts";
import type { CommandContext } from "../../command/define-command.ts";
import type { InspectInput } from "./schemas.ts";

/** Reads the box. */
export async function run({ name }: InspectInput, context: CommandContext): Promise<BoxDetails> {
  await using runtime = await openRuntime(context);
  return await runtime.boxes.inspect(name);
}

/** The box for people. */
export function text(box: BoxDetails): string {
  return describeBox(box);
}

/** Its id. */
export function identifiers(box: BoxDetails): readonly string[] {
  return [box.id];
}
