import * as z from "zod";

/** A shell with a completion script. */
export type Shell = "bash" | "zsh" | "fish";

/** What `box completion` takes. */
export interface CompletionInput {
  /** The shell. */
  readonly shell: Shell;
}

/** The schema of {@link CompletionInput}. */
export const input: z.ZodType<CompletionInput> = z.strictObject({
  shell: z.enum(["bash", "zsh", "fish"]),
});

/** What `box completion` prints. */
export interface CompletionOutput {
  /** The script. */
  readonly script: string;
}

/** The schema of {@link CompletionOutput}. */
export const output: z.ZodType<CompletionOutput> = z.strictObject({ script: z.string() });
