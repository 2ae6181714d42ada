import * as z from "zod";
import { type PullOutput, output as pulled } from "../pull/schemas.ts";

/** What `box import` takes. */
export interface ImportInput {
  /** The archive or the layout's folder; `-` for stdin. */
  readonly file: string;
  /** The name of the only image. */
  readonly tag?: string | undefined;
  /** Such as `linux/arm64`. */
  readonly platform?: string | undefined;
}

/** The schema of {@link ImportInput}. */
export const input: z.ZodType<ImportInput> = z.strictObject({
  file: z.string().min(1),
  tag: z.string().min(1).optional(),
  platform: z.string().min(1).optional(),
});

/** The schema of what `box import` prints. */
export const output: z.ZodType<PullOutput> = pulled;
