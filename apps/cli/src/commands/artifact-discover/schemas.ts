import * as z from "zod";

/** What `box artifact discover` takes. */
export interface ArtifactDiscoverInput {
  /** What artifacts may be attached to. */
  readonly ref: string;
  /** Only artifacts of this type, and those attached to them. */
  readonly type?: string | undefined;
}

/** The schema of {@link ArtifactDiscoverInput}. */
export const input: z.ZodType<ArtifactDiscoverInput> = z.strictObject({
  ref: z.string().min(1),
  type: z.string().min(1).optional(),
});

/** An artifact that is attached to something. */
export interface AttachedArtifact {
  /** Its digest. */
  readonly digest: string;
  /** What it is. */
  readonly artifactType?: string | undefined;
  /** What it is attached to. */
  readonly subject: string;
  /** 1 for what is attached to REF itself, 2 for what is attached to that, and so on. */
  readonly level: number;
}

/** What `box artifact discover` prints: each artifact before those attached to it. */
export type ArtifactDiscoverOutput = readonly AttachedArtifact[];

/** The schema of {@link ArtifactDiscoverOutput}. */
export const output: z.ZodType<ArtifactDiscoverOutput> = z.array(
  z.strictObject({
    digest: z.string(),
    artifactType: z.string().optional(),
    subject: z.string(),
    level: z.int(),
  }),
);
