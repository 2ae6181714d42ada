import * as z from "zod";

/** What `box cp` takes. */
export interface CpInput {
  /** `BOX:PATH`, a path of this host, or `-`. */
  readonly source: string;
  /** The same. */
  readonly target: string;
  /** Whether files keep their owners. */
  readonly archive?: boolean | undefined;
  /** Whether a link that SOURCE is, is followed. */
  readonly followLink?: boolean | undefined;
}

/** The schema of {@link CpInput}. */
export const input: z.ZodType<CpInput> = z.strictObject({
  source: z.string().min(1),
  target: z.string().min(1),
  archive: z.boolean().optional(),
  followLink: z.boolean().optional(),
});

/** The schema of what `box cp` prints: nothing. */
export const output: z.ZodType<undefined> = z.undefined();
