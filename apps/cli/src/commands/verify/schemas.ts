import * as z from "zod";

/** What `box verify` takes. */
export interface VerifyInput {
  /** Whether layers are unpacked too. */
  readonly deep?: boolean | undefined;
  /** Whether damaged content is taken away. */
  readonly repair?: boolean | undefined;
}

/** The schema of {@link VerifyInput}. */
export const input: z.ZodType<VerifyInput> = z.strictObject({
  deep: z.boolean().optional(),
  repair: z.boolean().optional(),
});

/** What `box verify` prints. */
export interface VerifyOutput {
  /** Whether nothing is wrong. */
  readonly isSound: boolean;
  /** What is wrong, by blob. */
  readonly findings: readonly {
    readonly digest: string;
    readonly code: string;
    readonly message: string;
    readonly isRemoved: boolean;
  }[];
}

/** The schema of {@link VerifyOutput}. */
export const output: z.ZodType<VerifyOutput> = z.strictObject({
  isSound: z.boolean(),
  findings: z.array(
    z.strictObject({
      digest: z.string(),
      code: z.string(),
      message: z.string(),
      isRemoved: z.boolean(),
    }),
  ),
});
