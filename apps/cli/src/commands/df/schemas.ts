import type { StorageUsage, UsageGroup } from "@box/runtime";
import * as z from "zod";

/** What `box df` takes. */
export interface DfInput {
  /** Whether every item gets a line. */
  readonly verbose?: boolean | undefined;
}

/** The schema of {@link DfInput}. */
export const input: z.ZodType<DfInput> = z.strictObject({ verbose: z.boolean().optional() });

const usage = {
  logicalBytes: z.int(),
  allocatedBytes: z.int(),
  sharedBytes: z.int(),
  uniqueBytes: z.int(),
  reclaimableBytes: z.int(),
};

const group = z.strictObject({
  ...usage,
  items: z.array(z.strictObject({ name: z.string(), usedBy: z.array(z.string()), ...usage })),
});

/** What `box df` prints. */
export interface DfOutput extends StorageUsage {
  /** Whether every item gets a line. */
  readonly verbose: boolean;
  /** States of machines that had booted, in the cache folder of this user: all homes share them. */
  readonly templates: UsageGroup;
}

/** The schema of {@link DfOutput}. */
export const output: z.ZodType<DfOutput> = z.strictObject({
  verbose: z.boolean(),
  total: z.strictObject(usage),
  images: group,
  bases: group,
  boxes: group,
  quarantine: group,
  temporary: group,
  templates: group,
});
