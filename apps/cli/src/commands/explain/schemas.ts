import * as z from "zod";

/** What `box explain` takes. */
export interface ExplainInput {
  /** The code; every code when left out. */
  readonly code?: string | undefined;
}

/** The schema of {@link ExplainInput}. */
export const input: z.ZodType<ExplainInput> = z.strictObject({
  code: z.string().max(200).optional(),
});

/** A page of `box explain`. */
export interface ExplainEntry {
  /** The code. */
  readonly code: string;
  /** Which package throws it. */
  readonly package: string;
  /** Its kind. */
  readonly kind: string;
  /** Exit code of the command. */
  readonly exitCode: number;
  /** HTTP status of the server. */
  readonly httpStatus: number;
  /** What happened. */
  readonly meaning: string;
  /** What to do. */
  readonly advice: string;
}

/** What `box explain` prints. */
export type ExplainOutput = readonly ExplainEntry[];

/** The schema of {@link ExplainOutput}. */
export const output: z.ZodType<ExplainOutput> = z.array(
  z.strictObject({
    code: z.string(),
    package: z.string(),
    kind: z.string(),
    exitCode: z.int(),
    httpStatus: z.int(),
    meaning: z.string(),
    advice: z.string(),
  }),
);
