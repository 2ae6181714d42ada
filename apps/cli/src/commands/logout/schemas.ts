import * as z from "zod";

/** What `box logout` takes. */
export interface LogoutInput {
  /** The registry; Docker Hub unless given. */
  readonly host?: string | undefined;
}

/** The schema of {@link LogoutInput}. */
export const input: z.ZodType<LogoutInput> = z.strictObject({
  host: z.string().min(1).optional(),
});

/** What `box logout` prints. */
export interface LogoutOutput {
  /** The registry. */
  readonly host: string;
  /** The files that knew it. */
  readonly files: readonly string[];
}

/** The schema of {@link LogoutOutput}. */
export const output: z.ZodType<LogoutOutput> = z.strictObject({
  host: z.string(),
  files: z.array(z.string()),
});
