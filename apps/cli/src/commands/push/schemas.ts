import * as z from "zod";

/** What `box push` takes. */
export interface PushInput {
  /** The image. */
  readonly ref: string;
  /** Where it goes; the image's own name unless given. */
  readonly destination?: string | undefined;
  /** Such as `linux/arm64`. */
  readonly platform?: string | undefined;
}

/** The schema of {@link PushInput}. */
export const input: z.ZodType<PushInput> = z.strictObject({
  ref: z.string().min(1),
  destination: z.string().min(1).optional(),
  platform: z.string().min(1).optional(),
});

/** What `box push` prints. */
export interface PushOutput {
  /** The full name that the image has there. */
  readonly reference: string;
  /** What the name leads to. */
  readonly digest: string;
}

/** The schema of {@link PushOutput}. */
export const output: z.ZodType<PushOutput> = z.strictObject({
  reference: z.string(),
  digest: z.string(),
});
