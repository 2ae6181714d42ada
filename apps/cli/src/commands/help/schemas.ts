import * as z from "zod";

/** What `box help` takes. */
export interface HelpInput {
  /** The words of a command or a group. */
  readonly command?: string[] | undefined;
}

/** The schema of {@link HelpInput}. */
export const input: z.ZodType<HelpInput> = z.strictObject({
  command: z.array(z.string()).optional(),
});

/** What `box help` prints. */
export interface HelpOutput {
  /** The page. */
  readonly help: string;
}

/** The schema of {@link HelpOutput}. */
export const output: z.ZodType<HelpOutput> = z.strictObject({ help: z.string() });
