import * as z from "zod";
import { type SnapshotFacts, snapshotFacts } from "../../disks/image-facts.ts";

/** What `box disk snapshot list` takes. */
export interface SnapshotListInput {
  /** The image. */
  readonly file: string;
}

/** The schema of {@link SnapshotListInput}. */
export const input: z.ZodType<SnapshotListInput> = z.strictObject({ file: z.string().min(1) });

/** The schema of what it prints. */
export const output: z.ZodType<readonly SnapshotFacts[]> = z.array(snapshotFacts);
