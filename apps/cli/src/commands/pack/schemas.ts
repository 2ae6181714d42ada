import * as z from "zod";

/** What `box pack` takes. */
export interface PackInput {
  /** The box. */
  readonly name: string;
  /** The archive. */
  readonly output?: string | undefined;
  /** Whether the bases stay behind. */
  readonly withoutBases?: boolean | undefined;
}

/** The schema of {@link PackInput}. */
export const input: z.ZodType<PackInput> = z.strictObject({
  name: z.string().min(1),
  output: z.string().min(1).optional(),
  withoutBases: z.boolean().optional(),
});

/** What `box pack` prints. */
export interface PackOutput {
  /** The box. */
  readonly name: string;
  /** Id of the operation. */
  readonly operation: string;
  /** The archive. */
  readonly path: string;
  /** Its size. */
  readonly sizeBytes: number;
}

/** The schema of {@link PackOutput}. */
export const output: z.ZodType<PackOutput> = z.strictObject({
  name: z.string(),
  operation: z.string(),
  path: z.string(),
  sizeBytes: z.int(),
});
