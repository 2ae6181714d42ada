import type { BoxSnapshot, PruneReport, StorageUsage } from "@box/runtime";
import * as z from "zod";
import type {
  CloneRequest,
  ExportRequest,
  PruneRequest,
  ResizeRequest,
  SnapshotRequest,
  StartRequest,
  StopRequest,
} from "../box-service.ts";
import { namedSchemas } from "./schemas.ts";

const name = z.string().min(1).max(63);
const size = z.int().nonnegative();
const duration = z.int().min(0).max(Number.MAX_SAFE_INTEGER);

/** The body of a request that starts a box; may be left out. */
export const startRequest: z.ZodType<StartRequest> = z.strictObject({
  recreateDisk: z.boolean().optional(),
});

/** The body of a request that stops a box; may be left out. */
export const stopRequest: z.ZodType<StopRequest> = z.strictObject({
  graceMs: z
    .int()
    .min(0)
    .max(3_600_000)
    .meta({ description: "how long the guest may take; 10 seconds unless given" })
    .optional(),
});

/** The body of a request that stops a box and starts it; may be left out. */
export const restartRequest: z.ZodType<StartRequest & StopRequest> = z.strictObject({
  recreateDisk: z.boolean().optional(),
  graceMs: z.int().min(0).max(3_600_000).optional(),
});

/** The body of a request that copies a box. */
export const cloneRequest: z.ZodType<CloneRequest> = z.strictObject({ name });

/** The body of a request that grows the user's disk. */
export const resizeRequest: z.ZodType<ResizeRequest> = z.strictObject({
  sizeBytes: z.int().positive(),
});

/** The body of a request that takes a snapshot. */
export const snapshotRequest: z.ZodType<SnapshotRequest> = z.strictObject({ snapshot: name });

/** The body of a request that writes an archive. */
export const exportRequest: z.ZodType<ExportRequest> = z.strictObject({
  path: z
    .string()
    .min(1)
    .max(4096)
    .startsWith("/")
    .meta({ description: "where the server writes the file; it must not be there" }),
  withBases: z.boolean().optional(),
});

/** The names in a path of a snapshot. */
export const snapshotParams: z.ZodType<{ readonly name: string; readonly snapshot: string }> =
  z.strictObject({ name, snapshot: name });

/** A snapshot of the user's disk. */
export const snapshot: z.ZodType<BoxSnapshot> = z.strictObject({
  name: z.string(),
  createdAt: z.iso.datetime(),
  virtualSizeBytes: size,
});

const usageShape = {
  logicalBytes: size,
  allocatedBytes: size,
  sharedBytes: size,
  uniqueBytes: size,
  reclaimableBytes: size,
};

const usageGroup = z.strictObject({
  ...usageShape,
  items: z.array(z.strictObject({ name: z.string(), usedBy: z.array(z.string()), ...usageShape })),
});

/** Where the space of the home goes. */
export const storageUsage: z.ZodType<StorageUsage> = z.strictObject({
  total: z.strictObject(usageShape),
  images: usageGroup,
  bases: usageGroup,
  boxes: usageGroup,
  quarantine: usageGroup,
  temporary: usageGroup,
});

/** The body of a request that prunes; may be left out. */
export const pruneRequest: z.ZodType<PruneRequest> = z.strictObject({
  dryRun: z.boolean().optional(),
  quarantineOlderThanMs: duration.optional(),
  imageGraceMs: duration.optional(),
});

const prunedKind = z.enum(["image", "base", "quarantine", "temporary"]);

/** What a prune did, or would do. */
export const pruneReport: z.ZodType<PruneReport> = z.strictObject({
  dryRun: z.boolean(),
  removed: z.array(
    z.strictObject({ kind: prunedKind, name: z.string(), bytes: size, reason: z.string() }),
  ),
  kept: z.array(
    z.strictObject({
      kind: prunedKind,
      name: z.string(),
      bytes: size,
      reasons: z.array(z.string()),
    }),
  ),
  freedBytes: size,
});

namedSchemas.add(startRequest, { id: "StartRequest" });
namedSchemas.add(stopRequest, { id: "StopRequest" });
namedSchemas.add(restartRequest, { id: "RestartRequest" });
namedSchemas.add(cloneRequest, { id: "CloneRequest" });
namedSchemas.add(resizeRequest, { id: "ResizeRequest" });
namedSchemas.add(snapshotRequest, { id: "SnapshotRequest" });
namedSchemas.add(exportRequest, { id: "ExportRequest" });
namedSchemas.add(snapshot, { id: "Snapshot" });
namedSchemas.add(storageUsage, { id: "StorageUsage" });
namedSchemas.add(pruneRequest, { id: "PruneRequest" });
namedSchemas.add(pruneReport, { id: "PruneReport" });
