import type { CommandSpec, FlagSpec, ValueSource } from "../command/define-command.ts";
import { globalFlags } from "../command/global-flags.ts";

/** Something that fits the word being typed. */
export interface Candidate {
  /** The whole word. */
  readonly value: string;
  /** One line about it. */
  readonly summary: string;
}

/** What {@link completeWords} found. */
export interface Completion {
  /** Whether the shell should offer its own files or folders. */
  readonly files: "none" | "files" | "directories";
  /** What fits. */
  readonly candidates: readonly Candidate[];
}

/** Values that are known only at run time, such as the names of boxes. */
export type LoadValues = (source: ValueSource) => Promise<readonly Candidate[]>;

/** Completes the last of the words after `box`: commands, flags and values, all from the command table. */
export async function completeWords(
  words: readonly string[],
  all: readonly CommandSpec[],
  load: LoadValues,
): Promise<Completion> {
  const typed = words.at(-1) ?? "";
  const before = readWords(words.slice(0, -1), all);
  const found = await candidatesFor(typed, before, all, load);
  return { ...found, candidates: found.candidates.filter(({ value }) => value.startsWith(typed)) };
}

interface WordsBefore {
  /** Words that are neither flags nor their values. */
  readonly plain: readonly string[];
  /** The flag that waits for a value. */
  readonly waiting: FlagSpec | undefined;
  /** Whether `--` was seen. */
  readonly flagsEnded: boolean;
}

function readWords(words: readonly string[], all: readonly CommandSpec[]): WordsBefore {
  const flags = [...globalFlags, ...all.flatMap((spec) => spec.flags)];
  const plain: string[] = [];
  let waiting: FlagSpec | undefined;
  let flagsEnded = false;
  for (const word of words) {
    if (waiting !== undefined) waiting = undefined;
    else if (word === "--") flagsEnded = true;
    else if (flagsEnded || !word.startsWith("-") || word === "-") plain.push(word);
    else waiting = flags.find((flag) => flag.value !== undefined && isNamed(flag, word));
  }
  return { plain, waiting, flagsEnded };
}

function isNamed({ name, short }: FlagSpec, word: string): boolean {
  return word === `--${name}` || (short !== undefined && word === `-${short}`);
}

async function candidatesFor(
  typed: string,
  { plain, waiting, flagsEnded }: WordsBefore,
  all: readonly CommandSpec[],
  load: LoadValues,
): Promise<Completion> {
  const visibleCommands = all.filter((spec) => !spec.hidden);
  const spec = visibleCommands.find(({ path }) => path.every((word, at) => plain[at] === word));
  if (waiting !== undefined) return valuesOf(formatsIncluded(waiting, spec), load, all);
  if (typed.startsWith("-") && !flagsEnded) {
    const flags = [...(spec?.flags ?? []), ...globalFlags];
    return only([
      ...flags.map(({ name, summary }) => ({ value: `--${name}`, summary })),
      { value: "--help", summary: "help" },
    ]);
  }
  if (spec === undefined) return only(nextWords(plain, visibleCommands));
  const given = plain.length - spec.path.length;
  const last = spec.args.at(-1);
  const argument = spec.args[given] ?? (last?.many ? last : undefined);
  if (argument === undefined) return only([]);
  const completion = await valuesOf(argument, load, all);
  const taken = new Set(plain.slice(spec.path.length));
  return {
    ...completion,
    candidates: completion.candidates.filter(({ value }) => !taken.has(value)),
  };
}

function formatsIncluded(flag: FlagSpec, spec: CommandSpec | undefined): FlagSpec {
  if (flag.name !== "format") return flag;
  return { ...flag, choices: [...(flag.choices ?? []), ...(spec?.formats ?? [])] };
}

function nextWords(plain: readonly string[], all: readonly CommandSpec[]): Candidate[] {
  const summaries = new Map<string, string>();
  for (const { path, summary } of all) {
    const next = path[plain.length];
    if (next === undefined || !plain.every((word, at) => path[at] === word)) continue;
    summaries.set(next, path.length === plain.length + 1 ? summary : `${next} commands`);
  }
  return [...summaries].map(([value, summary]) => ({ value, summary }));
}

interface ValueSpec {
  readonly choices?: readonly string[];
  readonly complete?: ValueSource;
}

async function valuesOf(
  { choices, complete }: ValueSpec,
  load: LoadValues,
  all: readonly CommandSpec[],
): Promise<Completion> {
  if (choices !== undefined) return only(choices.map((value) => ({ value, summary: "" })));
  switch (complete) {
    case undefined:
      return only([]);
    case "files":
    case "directories":
      return { files: complete, candidates: [] };
    case "commands":
      return only(
        nextWords(
          [],
          all.filter((spec) => !spec.hidden),
        ),
      );
    default:
      return only(await load(complete));
  }
}

function only(candidates: readonly Candidate[]): Completion {
  return { files: "none", candidates };
}
