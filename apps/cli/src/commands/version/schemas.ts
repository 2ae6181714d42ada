import * as z from "zod";

/** `box version` takes nothing. */
export const input: z.ZodType<Record<string, never>> = z.strictObject({});

/** What `box version` prints. */
export interface VersionOutput {
  /** Of box. */
  readonly version: string;
  /** Of Node.js. */
  readonly node: string;
  /** Such as `linux`. */
  readonly platform: string;
  /** Such as `x64`. */
  readonly architecture: string;
}

/** The schema of {@link VersionOutput}. */
export const output: z.ZodType<VersionOutput> = z.strictObject({
  version: z.string(),
  node: z.string(),
  platform: z.string(),
  architecture: z.string(),
});
