import type { BoxDetails } from "@box/runtime";
import * as z from "zod";
import { boxDetails } from "../../boxes/box-schemas.ts";

/** What `box inspect` takes. */
export interface InspectInput {
  /** The box. */
  readonly name: string;
}

/** The schema of {@link InspectInput}. */
export const input: z.ZodType<InspectInput> = z.strictObject({ name: z.string().min(1) });

/** The schema of what `box inspect` prints. */
export const output: z.ZodType<BoxDetails> = boxDetails;
