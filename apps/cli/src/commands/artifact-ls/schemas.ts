import * as z from "zod";

/** What `box artifact ls` takes. */
export interface ArtifactLsInput {
  /** The repository; a tag is ignored. */
  readonly repository: string;
}

/** The schema of {@link ArtifactLsInput}. */
export const input: z.ZodType<ArtifactLsInput> = z.strictObject({
  repository: z.string().min(1),
});

/** What `box artifact ls` prints: tags. */
export type ArtifactLsOutput = readonly string[];

/** The schema of {@link ArtifactLsOutput}. */
export const output: z.ZodType<ArtifactLsOutput> = z.array(z.string());
