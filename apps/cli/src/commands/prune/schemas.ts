import type { PruneReport } from "@box/runtime";
import * as z from "zod";

/** What `box prune` takes. */
export interface PruneInput {
  /** Whether nothing is removed. */
  readonly dryRun?: boolean | undefined;
  /** An age such as `30d`. */
  readonly quarantineOlderThan?: string | undefined;
}

/** The schema of {@link PruneInput}. */
export const input: z.ZodType<PruneInput> = z.strictObject({
  dryRun: z.boolean().optional(),
  quarantineOlderThan: z.string().optional(),
});

const kind = z.enum(["image", "base", "quarantine", "temporary"]);

/** The schema of what `box prune` prints. */
export const output: z.ZodType<PruneReport> = z.strictObject({
  dryRun: z.boolean(),
  removed: z.array(z.strictObject({ kind, name: z.string(), bytes: z.int(), reason: z.string() })),
  kept: z.array(
    z.strictObject({ kind, name: z.string(), bytes: z.int(), reasons: z.array(z.string()) }),
  ),
  freedBytes: z.int(),
});
