import { type CommandSpec, type FlagSpec, inputKey } from "./define-command.ts";
import { globalFlags } from "./global-flags.ts";
import { type GivenGlobals, readGlobalOptions } from "./global-options.ts";
import type { ParsedCommandLine } from "./parsed-line.ts";

/** What {@link readPlainLine} needs to know. */
interface PlainLineOptions {
  /** Every command. */
  readonly commands: readonly CommandSpec[];
  /** For flags that have a variable. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

/**
 * Reads a command line that is written out: whole names of flags, each with its value, and as many words as the command takes.
 * Most are, and they need no parser to be loaded. Whatever else a line holds is the parser's: nothing is said about it.
 *
 * @throws CliError as `readGlobalOptions` does.
 */
export function readPlainLine(
  argv: readonly string[],
  { commands, env }: PlainLineOptions,
): Extract<ParsedCommandLine, { readonly type: "command" }> | undefined {
  const globals = new PlainFlags(globalFlags);
  const rest = globals.take(argv, 0);
  if (rest === undefined) return undefined;
  const spec = commandAt(argv, rest, commands);
  if (spec === undefined || spec.flags.some(isOddFlag)) return undefined;
  const own = new PlainFlags(spec.flags);
  const words: string[] = [];
  for (let at: number | undefined = rest + spec.path.length; at < argv.length; ) {
    const word = argv[at] ?? "";
    if (!word.startsWith("-")) {
      words.push(word);
      at++;
      continue;
    }
    const next: number | undefined = globals.takeOne(argv, at) ?? own.takeOne(argv, at);
    if (next === undefined) return undefined;
    at = next;
  }
  const named = nameWords(words, spec);
  if (named === undefined) return undefined;
  const given = globals.values as GivenGlobals;
  return {
    type: "command",
    spec,
    input: { ...named, ...own.values },
    globals: readGlobalOptions(given, spec, env),
  };
}

/** The command whose words stand there, unless another one begins with the same words. */
function commandAt(
  argv: readonly string[],
  start: number,
  commands: readonly CommandSpec[],
): CommandSpec | undefined {
  const found = commands.filter(({ path }) => path.every((word, at) => argv[start + at] === word));
  const [spec] = found;
  if (spec === undefined || found.length > 1) return undefined;
  const isPrefix = commands.some(
    (other) => other !== spec && spec.path.every((word, at) => other.path[at] === word),
  );
  return isPrefix ? undefined : spec;
}

/** Flags that take something away, and those that share their name with a global one. */
function isOddFlag({ name, short }: FlagSpec): boolean {
  return (
    name.startsWith("no-") ||
    globalFlags.some((one) => one.name === name || (short !== undefined && one.short === short))
  );
}

/** The words by the names of the command's arguments; nothing when there are too few or too many. */
function nameWords(
  words: readonly string[],
  { args }: CommandSpec,
): Record<string, unknown> | undefined {
  const named: Record<string, unknown> = {};
  const takesAll = args.at(-1)?.many === true;
  if (words.length > args.length && !takesAll) return undefined;
  for (const [at, { name, optional, many }] of args.entries()) {
    if (at >= words.length) {
      if (optional !== true) return undefined;
    } else named[inputKey(name)] = many ? words.slice(at) : words[at];
  }
  return named;
}

class PlainFlags {
  /** What was given, by the names that the parser uses. */
  readonly values: Record<string, unknown> = {};
  readonly #flags: readonly FlagSpec[];

  constructor(flags: readonly FlagSpec[]) {
    this.#flags = flags;
  }

  /** Takes all flags that stand there. @returns Where they end; nothing when one of them is none of these. */
  take(argv: readonly string[], start: number): number | undefined {
    let at = start;
    while (argv[at]?.startsWith("-")) {
      const next = this.takeOne(argv, at);
      if (next === undefined) return undefined;
      at = next;
    }
    return at;
  }

  /** Takes the flag that stands there. @returns Where it ends; nothing when it is none of these. */
  takeOne(argv: readonly string[], at: number): number | undefined {
    const word = argv[at] ?? "";
    const equals = word.startsWith("--") ? word.indexOf("=") : -1;
    const name = equals === -1 ? word : word.slice(0, equals);
    const flag = this.#flags.find(
      (one) => name === `--${one.name}` || (one.short !== undefined && name === `-${one.short}`),
    );
    if (flag === undefined) return undefined;
    if (flag.value === undefined) {
      if (equals !== -1) return undefined;
      const isTaken = flag.name.startsWith("no-");
      this.values[inputKey(isTaken ? flag.name.slice("no-".length) : flag.name)] = !isTaken;
      return at + 1;
    }
    const value = equals === -1 ? argv[at + 1] : word.slice(equals + 1);
    const isRead = value !== undefined && (equals !== -1 || !value.startsWith("-"));
    if (!isRead || !isChoice(flag, value)) return undefined;
    const key = inputKey(flag.name);
    const before = (this.values[key] ?? []) as readonly string[];
    this.values[key] = flag.many ? [...before, value] : value;
    return at + (equals === -1 ? 2 : 1);
  }
}

/** The formats of a command are known only once the command is. */
function isChoice({ name, choices }: FlagSpec, value: string): boolean {
  return choices === undefined || name === "format" || choices.includes(value);
}
