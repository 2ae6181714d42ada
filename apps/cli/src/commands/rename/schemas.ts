import * as z from "zod";
import { boxDetails } from "../../boxes/box-schemas.ts";
import type { PreparedOutput } from "../create/schemas.ts";

/** What `box rename` takes. */
export interface RenameInput {
  /** The box. */
  readonly name: string;
  /** Its new name. */
  readonly newName: string;
}

/** The schema of {@link RenameInput}. */
export const input: z.ZodType<RenameInput> = z.strictObject({
  name: z.string().min(1),
  newName: z.string().min(1),
});

/** The schema of what `box rename` prints. */
export const output: z.ZodType<PreparedOutput> = z.strictObject({
  box: boxDetails,
  operation: z.string(),
});
