import * as z from "zod";
import { type BitmapFacts, bitmapFacts } from "../../disks/image-facts.ts";

/** What `box disk bitmap list` takes. */
export interface BitmapListInput {
  /** The image. */
  readonly file: string;
}

/** The schema of {@link BitmapListInput}. */
export const input: z.ZodType<BitmapListInput> = z.strictObject({ file: z.string().min(1) });

/** The schema of what it prints. */
export const output: z.ZodType<readonly BitmapFacts[]> = z.array(bitmapFacts);
