import type { BoxSummary } from "@box/runtime";
import * as z from "zod";
import { boxSummary } from "../../boxes/box-schemas.ts";

/** `box ls` takes nothing. */
export const input: z.ZodType<Record<string, never>> = z.strictObject({});

/** What `box ls` prints. */
export type LsOutput = readonly BoxSummary[];

/** The schema of {@link LsOutput}. */
export const output: z.ZodType<LsOutput> = z.array(boxSummary);
