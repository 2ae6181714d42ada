import * as z from "zod";

/** What `box rm` takes. */
export interface RmInput {
  /** The boxes. */
  readonly names: string[];
  /** Whether a box that does not exist is no error. */
  readonly force?: boolean | undefined;
}

/** The schema of {@link RmInput}. */
export const input: z.ZodType<RmInput> = z.strictObject({
  names: z.array(z.string().min(1)).min(1),
  force: z.boolean().optional(),
});

/** What `box rm` prints. */
export interface RmOutput {
  /** Names of the boxes that are gone. */
  readonly removed: readonly string[];
  /** Names of those that are still there; stderr says why. */
  readonly failed: readonly string[];
  /** The exit code. */
  readonly exitCode: number;
}

/** The schema of {@link RmOutput}. */
export const output: z.ZodType<RmOutput> = z.strictObject({
  removed: z.array(z.string()),
  failed: z.array(z.string()),
  exitCode: z.int(),
});
