import * as z from "zod";

/** What `box attach` takes. */
export interface AttachInput {
  /** The box. */
  readonly name: string;
  /** Whether nothing is sent to the program. */
  readonly outputOnly?: boolean | undefined;
  /** Such as `ctrl-p,ctrl-q`. */
  readonly detachKeys?: string | undefined;
}

/** The schema of {@link AttachInput}. */
export const input: z.ZodType<AttachInput> = z.strictObject({
  name: z.string().min(1),
  outputOnly: z.boolean().optional(),
  detachKeys: z.string().min(1).optional(),
});

/** What `box attach` prints with `--format json`, after what the program has printed. */
export interface AttachOutput {
  /** The box. */
  readonly name: string;
  /** How its program ended, unless it was left. */
  readonly exitCode?: number | undefined;
  readonly signal?: string | undefined;
}

/** The schema of {@link AttachOutput}. */
export const output: z.ZodType<AttachOutput> = z.strictObject({
  name: z.string(),
  exitCode: z.int().optional(),
  signal: z.string().optional(),
});
