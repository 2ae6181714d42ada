import { openRuntime } from "../../boxes/open-runtime.ts";
import type { CommandContext } from "../../command/define-command.ts";
import type { LogsInput } from "./schemas.ts";

/** Prints the log's bytes. */
export async function run(input: LogsInput, context: CommandContext): Promise<undefined> {
  const { name, follow = false, tail = "all", console = false } = input;
  const { signal } = context;
  await using runtime = await openRuntime(context);
  const chunks = await runtime.boxes.logs(name, {
    source: console ? "console" : "output",
    follows: follow,
    signal,
    ...(tail === "all" ? {} : { tailLines: Number(tail) }),
  });
  await context.writeBytes(chunks);
}

/** Nothing: the bytes have been printed. */
export function text(): string {
  return "";
}
