import * as z from "zod";

/** What `box artifact push` and `attach` take. */
export interface ArtifactFilesInput {
  /** Where the artifact goes, or what it is about. */
  readonly ref: string;
  /** Files: `PATH` or `PATH:MEDIA/TYPE`. */
  readonly files?: string[] | undefined;
  /** What it is, as a media type. */
  readonly type: string;
  /** `KEY=VALUE`. */
  readonly annotation?: string[] | undefined;
}

/** The schema of {@link ArtifactFilesInput}. */
export const input: z.ZodType<ArtifactFilesInput> = z.strictObject({
  ref: z.string().min(1),
  files: z.array(z.string().min(1)).optional(),
  type: z
    .string({ error: "say what the artifact is, such as application/vnd.example.report" })
    .regex(/^[\w.+-]+\/[\w.+-]+$/, "it is not a media type"),
  annotation: z.array(z.string()).optional(),
});

/** What `box artifact push` and `attach` print. */
export interface ArtifactFilesOutput {
  /** The full name of REF. */
  readonly reference: string;
  /** The artifact's digest. */
  readonly digest: string;
}

/** The schema of {@link ArtifactFilesOutput}. */
export const output: z.ZodType<ArtifactFilesOutput> = z.strictObject({
  reference: z.string(),
  digest: z.string(),
});
