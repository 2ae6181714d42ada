import * as z from "zod";

/** What `box logs` takes. */
export interface LogsInput {
  /** The box. */
  readonly name: string;
  /** Whether it goes on with what is added. */
  readonly follow?: boolean | undefined;
  /** Only so many lines. */
  readonly tail?: string | undefined;
  /** The console in place of the program's output. */
  readonly console?: boolean | undefined;
}

/** The schema of {@link LogsInput}. */
export const input: z.ZodType<LogsInput> = z.strictObject({
  name: z.string().min(1),
  follow: z.boolean().optional(),
  tail: z
    .string()
    .regex(/^(all|\d{1,9})$/, "must be a number of lines, or all")
    .optional(),
  console: z.boolean().optional(),
});

/** The schema of what `box logs` prints: nothing but the bytes of the log. */
export const output: z.ZodType<undefined> = z.undefined();
