import { CliError } from "../errors.ts";
import { type CommandSpec, commandName } from "./define-command.ts";

/**
 * The command with these words.
 *
 * @throws {@link CliError} `CLI_INVALID_ARGUMENT` when there is none.
 */
export function findCommand(words: readonly string[], all: readonly CommandSpec[]): CommandSpec {
  const name = words.join(" ");
  const found = all.find((spec) => commandName(spec) === name);
  if (found !== undefined) return found;
  throw new CliError({
    code: "CLI_INVALID_ARGUMENT",
    message: `box has no command ${JSON.stringify(name)}`,
    hint: "run: box --help",
  });
}
