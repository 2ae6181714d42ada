import type { BoxSummary } from "@box/runtime";
import * as z from "zod";
import { boxSummary } from "../../boxes/box-schemas.ts";

/** What `box ls` takes. */
export interface LsInput {
  /** Texts such as `label=tier=front`. */
  readonly filter?: readonly string[] | undefined;
}

/** The schema of {@link LsInput}. */
export const input: z.ZodType<LsInput> = z.strictObject({
  filter: z.array(z.string().min(1)).optional(),
});

/** What `box ls` prints. */
export type LsOutput = readonly BoxSummary[];

/** The schema of {@link LsOutput}. */
export const output: z.ZodType<LsOutput> = z.array(boxSummary);
