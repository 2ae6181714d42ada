import type { BoxSnapshot } from "@box/runtime";
import * as z from "zod";

/** What `box snapshot ls` takes. */
export interface SnapshotLsInput {
  /** The box. */
  readonly name: string;
}

/** The schema of {@link SnapshotLsInput}. */
export const input: z.ZodType<SnapshotLsInput> = z.strictObject({ name: z.string().min(1) });

/** The schema of a snapshot of a box. */
export const boxSnapshot: z.ZodType<BoxSnapshot> = z.strictObject({
  name: z.string(),
  createdAt: z.iso.datetime(),
  virtualSizeBytes: z.int(),
});

/** The schema of what `box snapshot ls` prints. */
export const output: z.ZodType<readonly BoxSnapshot[]> = z.array(boxSnapshot);
