import * as z from "zod";

/** What `box rmi` takes. */
export interface RmiInput {
  /** The images. */
  readonly refs: string[];
  /** Whether a name that is not there is no error. */
  readonly force?: boolean | undefined;
}

/** The schema of {@link RmiInput}. */
export const input: z.ZodType<RmiInput> = z.strictObject({
  refs: z.array(z.string().min(1)).min(1),
  force: z.boolean().optional(),
});

/** What `box rmi` prints. */
export interface RmiOutput {
  /** The names that were taken away. */
  readonly removed: readonly string[];
  /** Those that were not there; stderr says so. */
  readonly failed: readonly string[];
  /** How much space came back. */
  readonly freedBytes: number;
  /** The exit code. */
  readonly exitCode: number;
}

/** The schema of {@link RmiOutput}. */
export const output: z.ZodType<RmiOutput> = z.strictObject({
  removed: z.array(z.string()),
  failed: z.array(z.string()),
  freedBytes: z.int(),
  exitCode: z.int(),
});
