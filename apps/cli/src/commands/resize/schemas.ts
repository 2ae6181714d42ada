import * as z from "zod";

/** What `box resize` takes. */
export interface ResizeInput {
  /** The box. */
  readonly name: string;
  /** Such as `10GiB`. */
  readonly size: string;
}

/** The schema of {@link ResizeInput}. */
export const input: z.ZodType<ResizeInput> = z.strictObject({
  name: z.string().min(1),
  size: z.string().min(1),
});

/** What `box resize` prints. */
export interface ResizeOutput {
  /** The box. */
  readonly name: string;
  /** Id of the operation. */
  readonly operation: string;
  /** Size of its disk before, in bytes. */
  readonly oldSizeBytes: number;
  /** Size of its disk now, in bytes. */
  readonly virtualSizeBytes: number;
}

/** The schema of {@link ResizeOutput}. */
export const output: z.ZodType<ResizeOutput> = z.strictObject({
  name: z.string(),
  operation: z.string(),
  oldSizeBytes: z.int(),
  virtualSizeBytes: z.int(),
});
