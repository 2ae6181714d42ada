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
  if (spec.hasPlainInput === true && isPlainInput(spec, raw)) return raw;
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

/** Whether every word is one that the command's flags and arguments take, and no text is empty. */
export function isPlainInput(
  { args, flags }: Pick<CommandSpec, "args" | "flags">,
  raw: Readonly<Record<string, unknown>>,
): boolean {
  const known = new Map([...args, ...flags].map((one) => [inputKey(one.name), one]));
  return Object.entries(raw).every(([key, given]) => {
    const spec = known.get(key);
    if (spec === undefined) return false;
    // A switch is a flag without a value.
    if (flags.some((flag) => flag === spec && flag.value === undefined)) return given === true;
    const texts = spec.many === true ? given : [given];
    return (
      Array.isArray(texts) &&
      texts.length > 0 &&
      texts.every((text) => typeof text === "string" && text !== "") &&
      (spec.choices === undefined || texts.every((text) => spec.choices?.includes(text)))
    );
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
