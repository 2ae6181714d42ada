import * as z from "zod";

/** `box images` takes nothing. */
export const input: z.ZodType<Record<string, never>> = z.strictObject({});

/** An entry of the store. */
export interface ImageEntry {
  /** Its full name; absent for an entry without one. */
  readonly reference?: string | undefined;
  /** Digest of what it names: an index or a manifest. */
  readonly digest: string;
  /** The type of that. */
  readonly mediaType: string;
}

/** What `box images` prints. */
export type ImagesOutput = readonly ImageEntry[];

/** The schema of {@link ImagesOutput}. */
export const output: z.ZodType<ImagesOutput> = z.array(
  z.strictObject({
    reference: z.string().optional(),
    digest: z.string(),
    mediaType: z.string(),
  }),
);
