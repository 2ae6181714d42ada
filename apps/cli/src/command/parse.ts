import { Command, CommanderError, Option } from "commander";
import { CliError } from "../errors.ts";
import { type CommandSpec, commandName, type FlagSpec, inputKey } from "./define-command.ts";
import { globalFlags } from "./global-flags.ts";
import { type GivenGlobals, readGlobalOptions } from "./global-options.ts";
import { renderGroupHelp, renderHelp } from "./help.ts";
import type { ParsedCommandLine } from "./parsed-line.ts";

/** What {@link parseCommandLine} needs to know. */
export interface ParseOptions {
  /** Every command. */
  readonly commands: readonly CommandSpec[];
  /** What `--version` prints. */
  readonly version: string;
  /** For flags that have a variable. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

/**
 * Finds the command and its flags in the words after `box`.
 *
 * @throws {@link CliError} `CLI_USAGE` for unknown or missing words, `CLI_INVALID_ARGUMENT` for a bad value.
 */
export function parseCommandLine(
  argv: readonly string[],
  { commands, version, env }: ParseOptions,
): ParsedCommandLine {
  if (argv.length === 0) return { type: "text", text: renderGroupHelp([], commands) };
  let printed = "";
  let found: Omit<Extract<ParsedCommandLine, { type: "command" }>, "globals" | "type"> | undefined;
  const onCommand: OnCommand = (spec, input) => {
    found = { spec, input };
  };
  const program = buildProgram(
    commands.map((spec) => (isMeant(spec, argv) ? spec : { ...spec, args: [], flags: [] })),
    onCommand,
    (text) => {
      printed += text;
    },
  );
  program.version(version, "-V, --version");
  try {
    program.parse([...argv], { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return { type: "text", text: printed.trimEnd() };
    throw usageError(error, argv, commands);
  }
  if (found === undefined) throw new Error("the parser ended without a command");
  const globals = readGlobalOptions(program.opts<GivenGlobals>(), found.spec, env);
  return { type: "command", ...found, globals };
}

/** Whether a command line may mean the command. Of the others only the names are needed. */
function isMeant({ path }: CommandSpec, argv: readonly string[]): boolean {
  return path.every((word) => argv.includes(word));
}

type OnCommand = (spec: CommandSpec, input: Record<string, unknown>) => void;

/** The commander tree of the command table. */
export function buildProgram(
  commands: readonly CommandSpec[],
  onCommand: OnCommand,
  writeOut: (text: string) => void = () => {},
): Command {
  const program = new Command("box").exitOverride().helpCommand(false);
  program.configureOutput({ writeOut, writeErr: () => {} });
  program.helpInformation = () => renderGroupHelp([], commands);
  for (const flag of globalFlags) program.addOption(toOption(flag));
  for (const spec of commands) {
    const parent = ensureGroup(program, spec.path.slice(0, -1), commands);
    addCommand(parent, spec, onCommand);
  }
  return program;
}

function ensureGroup(
  program: Command,
  path: readonly string[],
  all: readonly CommandSpec[],
): Command {
  let current = program;
  path.forEach((name, depth) => {
    const existing = current.commands.find((command) => command.name() === name);
    current = existing ?? current.command(name).helpCommand(false);
    if (existing === undefined) {
      const groupPath = path.slice(0, depth + 1);
      current.helpInformation = () => renderGroupHelp(groupPath, all);
    }
  });
  return current;
}

function addCommand(parent: Command, spec: CommandSpec, onCommand: OnCommand): void {
  const command = parent.command(spec.path.at(-1) ?? "").helpCommand(false);
  command.helpInformation = () => renderHelp(spec);
  for (const { name, optional, many } of spec.args) {
    const dots = many ? "..." : "";
    command.argument(optional ? `[${name}${dots}]` : `<${name}${dots}>`);
  }
  for (const flag of spec.flags) command.addOption(toOption(flag));
  command.action((...words: unknown[]) => {
    const input: Record<string, unknown> = {};
    spec.args.forEach(({ name, many }, index) => {
      const word = words[index];
      const isGiven = many ? Array.isArray(word) && word.length > 0 : word !== undefined;
      if (isGiven) input[inputKey(name)] = word;
    });
    onCommand(spec, { ...input, ...command.opts() });
  });
}

function toOption(flag: FlagSpec): Option {
  const short = flag.short === undefined ? "" : `-${flag.short}, `;
  const value = flag.value === undefined ? "" : ` <${flag.value}>`;
  const option = new Option(`${short}--${flag.name}${value}`, flag.summary);
  // The formats of a command are known only once the command is.
  if (flag.choices !== undefined && flag.name !== "format") option.choices(flag.choices);
  if (flag.many) {
    option.argParser((word: string, before: string[] | undefined) => [...(before ?? []), word]);
  }
  return option;
}

function usageError(
  error: CommanderError,
  argv: readonly string[],
  commands: readonly CommandSpec[],
): CliError {
  const words = leadingWords(argv);
  const name = `box ${words.join(" ")}`.trim();
  if (error.code === "commander.help") {
    return new CliError({
      code: "CLI_USAGE",
      message: `${name} needs a command`,
      hint: `run: ${name} --help`,
    });
  }
  const [first = "", suggestion] = error.message.replace(/^error: /, "").split("\n");
  return new CliError({
    code: error.code === "commander.invalidArgument" ? "CLI_INVALID_ARGUMENT" : "CLI_USAGE",
    message: first.replace(/\.$/, ""),
    hint: suggestion?.replace(/^\(|\)$/g, "") ?? `run: ${nameOfCommand(words, commands)} --help`,
  });
}

/** `box` and the command that the words begin with, if any. */
function nameOfCommand(words: readonly string[], commands: readonly CommandSpec[]): string {
  const found = commands.find(({ path }) => path.every((word, index) => words[index] === word));
  return found === undefined ? "box" : `box ${commandName(found)}`;
}

function leadingWords(argv: readonly string[]): readonly string[] {
  const end = argv.findIndex((word) => word.startsWith("-"));
  return end === -1 ? argv : argv.slice(0, end);
}
