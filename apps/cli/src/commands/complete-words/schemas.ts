import * as z from "zod";

/** What `box complete-words` takes. */
export interface CompleteWordsInput {
  /** The words after `box`; the last one is being typed and may be empty. */
  readonly words?: string[] | undefined;
}

/** The schema of {@link CompleteWordsInput}. */
export const input: z.ZodType<CompleteWordsInput> = z.strictObject({
  words: z.array(z.string()).optional(),
});

/** What `box complete-words` prints. */
export interface CompleteWordsOutput {
  /** Whether the shell should offer its own files or folders. */
  readonly files: "none" | "files" | "directories";
  /** What fits, each with a description. */
  readonly candidates: readonly { readonly value: string; readonly summary: string }[];
}

/** The schema of {@link CompleteWordsOutput}. */
export const output: z.ZodType<CompleteWordsOutput> = z.strictObject({
  files: z.enum(["none", "files", "directories"]),
  candidates: z.array(z.strictObject({ value: z.string(), summary: z.string() })),
});
