import type { BoxSnapshot } from "@box/runtime";
import * as z from "zod";
import { boxSnapshot } from "../snapshot-ls/schemas.ts";

/** What the commands take that take, restore or remove a snapshot of a box. */
export interface BoxSnapshotInput {
  /** The box. */
  readonly name: string;
  /** The snapshot. */
  readonly snapshot: string;
}

/** The schema of {@link BoxSnapshotInput}. */
export const input: z.ZodType<BoxSnapshotInput> = z.strictObject({
  name: z.string().min(1),
  snapshot: z.string().min(1),
});

/** What these commands print. */
export interface BoxSnapshotOutput {
  /** The box. */
  readonly name: string;
  /** Id of the operation. */
  readonly operation: string;
  /** The snapshot. */
  readonly snapshot: BoxSnapshot;
}

/** The schema of {@link BoxSnapshotOutput}. */
export const output: z.ZodType<BoxSnapshotOutput> = z.strictObject({
  name: z.string(),
  operation: z.string(),
  snapshot: boxSnapshot,
});
