import * as z from "zod";

/** What `box artifact attach` takes. */
export interface ArtifactAttachInput {
  /** What it is about. */
  readonly ref: string;
  /** Files: `PATH` or `PATH:MEDIA/TYPE`. */
  readonly files?: string[] | undefined;
  /** What it is, as a media type. */
  readonly type: string;
  /** `KEY=VALUE`. */
  readonly annotation?: string[] | undefined;
}

/** The schema of {@link ArtifactAttachInput}. */
export const input: z.ZodType<ArtifactAttachInput> = z.strictObject({
  ref: z.string().min(1),
  files: z.array(z.string().min(1)).optional(),
  type: z
    .string({ error: "say what the artifact is, such as application/vnd.example.report" })
    .regex(/^[\w.+-]+\/[\w.+-]+$/, "it is not a media type"),
  annotation: z.array(z.string()).optional(),
});

/** What `box artifact attach` prints. */
export interface ArtifactAttachOutput {
  /** The full name of REF. */
  readonly reference: string;
  /** The artifact's digest. */
  readonly digest: string;
}

/** The schema of {@link ArtifactAttachOutput}. */
export const output: z.ZodType<ArtifactAttachOutput> = z.strictObject({
  reference: z.string(),
  digest: z.string(),
});
