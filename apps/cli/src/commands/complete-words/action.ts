import type { CommandContext } from "../../command/define-command.ts";
import { completeWords } from "../../completion/complete.ts";
import { loadValues } from "../../completion/values.ts";
import { visible } from "../../output/visible.ts";
import type { CompleteWordsInput, CompleteWordsOutput } from "./schemas.ts";

/** Finds what fits the word being typed. */
export async function run(
  { words = [""] }: CompleteWordsInput,
  context: CommandContext,
): Promise<CompleteWordsOutput> {
  return completeWords(words, context.commands, (source) => loadValues(source, context));
}

/** A line `:files` or `:directories` first when the shell should add its own, then `VALUE<tab>SUMMARY` lines. */
export function text({ files, candidates }: CompleteWordsOutput): string {
  const directive = files === "none" ? [] : [`:${files}`];
  const lines = candidates.map(({ value, summary }) => `${visible(value)}\t${visible(summary)}`);
  return [...directive, ...lines].join("\n");
}
