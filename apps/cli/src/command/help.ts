import {
  type ArgumentSpec,
  type CommandSpec,
  commandName,
  type FlagSpec,
} from "./define-command.ts";
import { failureExitCodes } from "./failures.ts";
import { findCommand } from "./find.ts";
import { globalFlags } from "./global-flags.ts";

/** The page that a command line of nothing but words asks for, which needs no parser. */
export function wantedPage(
  argv: readonly string[],
  all: readonly CommandSpec[],
): string | undefined {
  const [first = "help", ...words] = argv;
  if (first !== "help" || words.some((word) => word.startsWith("-"))) return undefined;
  return renderPage(words, all);
}

/**
 * The help of the command or of the group with these words; of everything without words.
 *
 * @throws {@link CliError} `CLI_INVALID_ARGUMENT` when there is neither.
 */
export function renderPage(words: readonly string[], all: readonly CommandSpec[]): string {
  const isGroup = all.some(
    ({ path }) => path.length > words.length && words.every((word, at) => path[at] === word),
  );
  return isGroup ? renderGroupHelp(words, all) : renderHelp(findCommand(words, all));
}

/** The help of one command. */
export function renderHelp(spec: CommandSpec): string {
  return sections([
    `box ${commandName(spec)}: ${spec.summary}`,
    `usage: ${usageLine(spec)}`,
    spec.description,
    section(
      "arguments:",
      spec.args.map((arg) => [argumentLabel(arg), argumentText(arg)]),
    ),
    section(
      "flags:",
      spec.flags.map((flag) => [flagLabel(flag), flagText(flag, spec)]),
    ),
    section("global flags:", globalRows(spec)),
    `examples:\n${spec.examples.map(({ command, summary }) => `  # ${summary}\n  ${command}`).join("\n")}`,
    section("exit codes:", exitCodeRows(spec)),
  ]);
}

/** The help of a group of commands; of everything when the path is empty. */
export function renderGroupHelp(path: readonly string[], all: readonly CommandSpec[]): string {
  const members = all.filter(
    (spec) => !spec.hidden && path.every((word, index) => spec.path[index] === word),
  );
  const name = ["box", ...path].join(" ");
  const rows = members.map((spec): Row => [commandName(spec), spec.summary]);
  return sections([
    path.length === 0 ? "box: disks for micro-VMs from OCI images" : undefined,
    `usage: ${name} COMMAND [ARGUMENTS] [FLAGS]`,
    section("commands:", rows),
    section("global flags:", [...globalRows(), ["-h, --help", "help of box or of a command"]]),
    `Run "${name} COMMAND --help" for a command's flags, examples and exit codes.`,
  ]);
}

/** The line that shows how to write a command. */
export function usageLine(spec: CommandSpec): string {
  const words = spec.args.map((arg) =>
    arg.optional ? `[${argumentLabel(arg)}]` : argumentLabel(arg),
  );
  return ["box", ...spec.path, ...words, "[FLAGS]"].join(" ");
}

/** An argument as help shows it. */
export function argumentLabel({ name, many }: ArgumentSpec): string {
  return `${name.toUpperCase()}${many ? "..." : ""}`;
}

/** A flag as help shows it. */
export function flagLabel({ name, short, value }: FlagSpec): string {
  return `${short === undefined ? "" : `-${short}, `}--${name}${value === undefined ? "" : ` ${value}`}`;
}

/** What a flag does, with its values and its variable. */
export function flagText(flag: FlagSpec, spec?: CommandSpec): string {
  const choices =
    flag.name === "format" ? [...(flag.choices ?? []), ...(spec?.formats ?? [])] : flag.choices;
  const notes = [
    choices === undefined ? "" : ` (${choices.join("|")})`,
    flag.env === undefined ? "" : ` [$${flag.env}]`,
  ];
  return `${flag.summary}${notes.join("")}`;
}

/** An argument's meaning, with its values. */
export function argumentText({ summary, choices }: ArgumentSpec): string {
  return choices === undefined ? summary : `${summary} (${choices.join("|")})`;
}

/** What each exit code means. */
export const exitCodeMeanings: Readonly<Record<number, string>> = {
  0: "done",
  1: "failed inside box",
  2: "the command line is wrong",
  3: "not found",
  4: "conflict, or in use",
  5: "corrupt data",
  6: "reading or writing failed, or no space",
  7: "the network or the registry failed",
  8: "the registry wants other credentials",
  9: "not supported, not allowed, or over a limit",
  10: "a disk's backing file is missing",
  124: "--timeout was reached",
  129: "stopped by SIGHUP",
  130: "interrupted",
  143: "stopped by SIGTERM",
};

type Row = readonly [string, string];

/** What any command may end with: success, a wrong command line, its time being up, a signal. */
const commonExitCodes = [0, 2, 124, 129, 130, 143];

function exitCodeRows(spec: CommandSpec): Row[] {
  const { exitCodes = {} } = spec;
  const own = Object.keys(exitCodes).map(Number);
  const codes = new Set([...commonExitCodes, ...own, ...failureExitCodes(spec)]);
  return [...codes]
    .sort((a, b) => a - b)
    .map((code): Row => [String(code), exitCodes[code] ?? exitCodeMeanings[code] ?? ""]);
}

function globalRows(spec?: CommandSpec): Row[] {
  return globalFlags.map((flag): Row => [flagLabel(flag), flagText(flag, spec)]);
}

function section(title: string, rows: readonly Row[]): string | undefined {
  if (rows.length === 0) return undefined;
  const width = Math.max(...rows.map(([name]) => name.length));
  return [title, ...rows.map(([name, text]) => `  ${name.padEnd(width)}  ${text}`)].join("\n");
}

function sections(parts: readonly (string | undefined)[]): string {
  return parts.filter((part) => part !== undefined).join("\n\n");
}
