import type { PrunedItem, PruneReport } from "@box/runtime";
import * as z from "zod";

/** What `box prune` takes. */
export interface PruneInput {
  /** Whether nothing is removed. */
  readonly dryRun?: boolean | undefined;
  /** An age such as `30d`. */
  readonly quarantineOlderThan?: string | undefined;
  /** Whether templates go too. */
  readonly templates?: boolean | undefined;
}

/** What `box prune` prints. */
export interface PruneOutput extends Omit<PruneReport, "removed"> {
  /** What was removed, or would be. */
  readonly removed: readonly (
    | PrunedItem
    | (Omit<PrunedItem, "kind"> & { readonly kind: "template" })
  )[];
}

/** The schema of {@link PruneInput}. */
export const input: z.ZodType<PruneInput> = z.strictObject({
  dryRun: z.boolean().optional(),
  quarantineOlderThan: z.string().optional(),
  templates: z.boolean().optional(),
});

const kinds = ["image", "base", "quarantine", "temporary"] as const;
const kind = z.enum(kinds);
const removedKind = z.enum([...kinds, "template"]);

/** The schema of what `box prune` prints. */
export const output: z.ZodType<PruneOutput> = z.strictObject({
  dryRun: z.boolean(),
  removed: z.array(
    z.strictObject({ kind: removedKind, name: z.string(), bytes: z.int(), reason: z.string() }),
  ),
  kept: z.array(
    z.strictObject({ kind, name: z.string(), bytes: z.int(), reasons: z.array(z.string()) }),
  ),
  freedBytes: z.int(),
});
