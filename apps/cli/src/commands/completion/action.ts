import { completionScript } from "../../completion/scripts.ts";
import type { CompletionInput, CompletionOutput } from "./schemas.ts";

/** Gives the shell's script. */
export async function run({ shell }: CompletionInput): Promise<CompletionOutput> {
  return { script: completionScript(shell) };
}

/** The script itself. */
export function text({ script }: CompletionOutput): string {
  return script;
}
