import * as z from "zod";
import type { BitmapChangeInput } from "./schemas.ts";

export { output } from "./schemas.ts";

/** What `box disk bitmap merge` takes. */
export interface BitmapMergeInput extends BitmapChangeInput {
  /** The bitmap that is added to the other one. */
  readonly source: string;
  /** The image that has it; FILE itself unless given. */
  readonly sourceFile?: string | undefined;
}

/** The schema of {@link BitmapMergeInput}. */
export const input: z.ZodType<BitmapMergeInput> = z.strictObject({
  file: z.string().min(1),
  name: z.string().min(1),
  source: z.string().min(1),
  sourceFile: z.string().min(1).optional(),
  allow: z.array(z.string().min(1)).optional(),
});
