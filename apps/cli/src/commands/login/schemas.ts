import * as z from "zod";

/** What `box login` takes. */
export interface LoginInput {
  /** The registry; Docker Hub unless given. */
  readonly host?: string | undefined;
  /** The user; must be given. */
  readonly username?: string | undefined;
  /** Reads the password from stdin; the only way to give it. */
  readonly passwordStdin?: boolean | undefined;
}

/** The schema of {@link LoginInput}. */
export const input: z.ZodType<LoginInput> = z.strictObject({
  host: z.string().min(1).optional(),
  username: z.string().min(1).optional(),
  passwordStdin: z.boolean().optional(),
});

/** What `box login` prints. */
export interface LoginOutput {
  /** The registry. */
  readonly host: string;
  /** The user. */
  readonly username: string;
  /** The file that keeps the password, or names the helper that does. */
  readonly file: string;
}

/** The schema of {@link LoginOutput}. */
export const output: z.ZodType<LoginOutput> = z.strictObject({
  host: z.string(),
  username: z.string(),
  file: z.string(),
});
