import { openRuntime } from "../../boxes/open-runtime.ts";
import type { CommandContext } from "../../command/define-command.ts";
import { attachToBox } from "../../machines/attach-to-box.ts";
import { parseDetachKeys, usualDetachKeys } from "../../machines/detach-keys.ts";
import { withRunExitCodes } from "../../machines/run-in-box.ts";
import type { AttachInput, AttachOutput } from "./schemas.ts";

/** Connects this process to the box's program, until that ends or is left. */
export async function run(input: AttachInput, context: CommandContext): Promise<AttachOutput> {
  const { name, outputOnly = false, detachKeys = usualDetachKeys } = input;
  return withRunExitCodes(async () => {
    const keys = parseDetachKeys(detachKeys);
    await using runtime = await openRuntime(context);
    const options = { sendsInput: !outputOnly, detachKeys: keys };
    const exit = await attachToBox(runtime, name, options, context);
    return { name, ...exit };
  });
}

/** Nothing: the program has printed what it had to say. */
export function text(): string {
  return "";
}

/** Nothing either. */
export function identifiers(): readonly string[] {
  return [];
}

/** That of the program; 0 when it was left. */
export function exitCode({ exitCode: code }: AttachOutput): number {
  return code ?? 0;
}
