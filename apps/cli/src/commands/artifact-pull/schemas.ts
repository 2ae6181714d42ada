import * as z from "zod";

/** What `box artifact pull` takes. */
export interface ArtifactPullInput {
  /** The artifact. */
  readonly ref: string;
  /** Where its files go; the current folder unless given. */
  readonly output?: string | undefined;
  /** Whether files that are there are replaced. */
  readonly overwrite?: boolean | undefined;
}

/** The schema of {@link ArtifactPullInput}. */
export const input: z.ZodType<ArtifactPullInput> = z.strictObject({
  ref: z.string().min(1),
  output: z.string().min(1).optional(),
  overwrite: z.boolean().optional(),
});

/** A file that `box artifact pull` wrote. */
export interface ArtifactFileOutput {
  /** Where it is. */
  readonly file: string;
  /** What it is. */
  readonly mediaType: string;
  /** Its digest. */
  readonly digest: string;
  /** Its size in bytes. */
  readonly sizeBytes: number;
}

/** What `box artifact pull` prints. */
export type ArtifactPullOutput = readonly ArtifactFileOutput[];

/** The schema of {@link ArtifactPullOutput}. */
export const output: z.ZodType<ArtifactPullOutput> = z.array(
  z.strictObject({
    file: z.string(),
    mediaType: z.string(),
    digest: z.string(),
    sizeBytes: z.int(),
  }),
);
