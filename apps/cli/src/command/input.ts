import { CliError } from "../errors.ts";
import { type CommandSpec, commandName, inputKey } from "./define-command.ts";

/**
 * Checks a command's words against its schema. A command line without any is `{}` and needs no schema, so that
 * `box ls` loads none.
 *
 * @throws {@link CliError} `CLI_INVALID_ARGUMENT` naming the flag or the argument.
 */
export async function checkInput(
  spec: CommandSpec,
  raw: Readonly<Record<string, unknown>>,
): Promise<unknown> {
  if (Object.keys(raw).length === 0) return {};
  const { input } = await spec.schemas();
  // It is used once in a run: compiling it takes longer than it saves.
  const result = input.safeParse(raw, { jitless: true });
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const label = labelOf(spec, String(issue?.path[0] ?? ""));
  throw new CliError({
    code: "CLI_INVALID_ARGUMENT",
    message: `box ${commandName(spec)}: ${label}: ${lowerFirst(issue?.message ?? "invalid value")}`,
    hint: `run: box ${commandName(spec)} --help`,
  });
}

function labelOf(spec: CommandSpec, key: string): string {
  const flag = spec.flags.find(({ name }) => inputKey(name) === key);
  if (flag !== undefined) return `--${flag.name}`;
  return spec.args.find(({ name }) => inputKey(name) === key)?.name.toUpperCase() ?? key;
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
