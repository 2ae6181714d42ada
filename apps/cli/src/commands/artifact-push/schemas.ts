import * as z from "zod";

/** What `box artifact push` takes. */
export interface ArtifactPushInput {
  /** Where it goes. */
  readonly ref: string;
  /** Files: `PATH` or `PATH:MEDIA/TYPE`. */
  readonly files?: string[] | undefined;
  /** What it is, as a media type. */
  readonly type: string;
  /** `KEY=VALUE`. */
  readonly annotation?: string[] | undefined;
}

/** The schema of {@link ArtifactPushInput}. */
export const input: z.ZodType<ArtifactPushInput> = z.strictObject({
  ref: z.string().min(1),
  files: z.array(z.string().min(1)).optional(),
  type: z
    .string({ error: "say what the artifact is, such as application/vnd.example.report" })
    .regex(/^[\w.+-]+\/[\w.+-]+$/, "it is not a media type"),
  annotation: z.array(z.string()).optional(),
});

/** What `box artifact push` prints. */
export interface ArtifactPushOutput {
  /** The full name of REF. */
  readonly reference: string;
  /** The artifact's digest. */
  readonly digest: string;
}

/** The schema of {@link ArtifactPushOutput}. */
export const output: z.ZodType<ArtifactPushOutput> = z.strictObject({
  reference: z.string(),
  digest: z.string(),
});
