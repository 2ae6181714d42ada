import * as z from "zod";

/** What `box tag` takes. */
export interface TagInput {
  /** The image. */
  readonly ref: string;
  /** Its further name. */
  readonly name: string;
}

/** The schema of {@link TagInput}. */
export const input: z.ZodType<TagInput> = z.strictObject({
  ref: z.string().min(1),
  name: z.string().min(1),
});

/** What `box tag` prints. */
export interface TagOutput {
  /** The full new name. */
  readonly reference: string;
}

/** The schema of {@link TagOutput}. */
export const output: z.ZodType<TagOutput> = z.strictObject({ reference: z.string() });
