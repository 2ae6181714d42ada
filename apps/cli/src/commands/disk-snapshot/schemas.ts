import * as z from "zod";
import { type SnapshotFacts, snapshotFacts } from "../../disks/image-facts.ts";

/** What the commands take that take, apply or delete a snapshot. */
export interface SnapshotChangeInput {
  /** The image. */
  readonly file: string;
  /** The snapshot's name; its id too where it exists already. */
  readonly name: string;
  /** Folders of backing and data files. */
  readonly allow?: readonly string[] | undefined;
}

/** The schema of {@link SnapshotChangeInput}. */
export const input: z.ZodType<SnapshotChangeInput> = z.strictObject({
  file: z.string().min(1),
  name: z.string().min(1),
  allow: z.array(z.string().min(1)).optional(),
});

/** What these commands print. */
export interface SnapshotChangeOutput {
  /** The image as it was given. */
  readonly file: string;
  /** What was done. */
  readonly done: "taken" | "applied" | "deleted";
  /** The snapshot. */
  readonly snapshot: SnapshotFacts;
}

/** The schema of {@link SnapshotChangeOutput}. */
export const output: z.ZodType<SnapshotChangeOutput> = z.strictObject({
  file: z.string(),
  done: z.enum(["taken", "applied", "deleted"]),
  snapshot: snapshotFacts,
});
