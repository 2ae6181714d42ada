import * as z from "zod";
import type { BitmapChangeInput } from "./schemas.ts";

export { output } from "./schemas.ts";

/** What `box disk bitmap add` takes. */
export interface BitmapAddInput extends BitmapChangeInput {
  /** Bytes that one bit stands for. */
  readonly granularity?: string | undefined;
  /** Whether it records nothing until it is enabled. */
  readonly disabled?: boolean | undefined;
}

/** The schema of {@link BitmapAddInput}. */
export const input: z.ZodType<BitmapAddInput> = z.strictObject({
  file: z.string().min(1),
  name: z.string().min(1),
  granularity: z.string().optional(),
  disabled: z.boolean().optional(),
  allow: z.array(z.string().min(1)).optional(),
});
