import * as z from "zod";
import { boxDetails } from "../../boxes/box-schemas.ts";
import type { PreparedOutput } from "../create/schemas.ts";

/** What `box clone` takes. */
export interface CloneInput {
  /** The box. */
  readonly name: string;
  /** Name of the copy. */
  readonly copy?: string | undefined;
}

/** The schema of {@link CloneInput}. */
export const input: z.ZodType<CloneInput> = z.strictObject({
  name: z.string().min(1),
  copy: z.string().min(1).optional(),
});

/** The schema of what `box clone` prints. */
export const output: z.ZodType<PreparedOutput> = z.strictObject({
  box: boxDetails,
  operation: z.string(),
});
