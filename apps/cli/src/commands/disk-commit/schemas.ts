import * as z from "zod";

/** What `box disk commit` takes. */
export interface DiskCommitInput {
  /** The overlay. */
  readonly file: string;
  /** Whether the overlay keeps what it holds. */
  readonly keep?: boolean | undefined;
  /** Folders of backing and data files. */
  readonly allow?: readonly string[] | undefined;
}

/** The schema of {@link DiskCommitInput}. */
export const input: z.ZodType<DiskCommitInput> = z.strictObject({
  file: z.string().min(1),
  keep: z.boolean().optional(),
  allow: z.array(z.string().min(1)).optional(),
});

/** What `box disk commit` prints. */
export interface DiskCommitOutput {
  /** The overlay as it was given. */
  readonly file: string;
  /** The backing file that was written. */
  readonly backing: string;
  /** Bytes of the disk that were written to it. */
  readonly committedBytes: number;
  /** Size of the backing file's disk now. */
  readonly backingSizeBytes: number;
  /** Whether the overlay is empty now. */
  readonly isEmptied: boolean;
}

/** The schema of {@link DiskCommitOutput}. */
export const output: z.ZodType<DiskCommitOutput> = z.strictObject({
  file: z.string(),
  backing: z.string(),
  committedBytes: z.int(),
  backingSizeBytes: z.int(),
  isEmptied: z.boolean(),
});
