import type { RandomAccess } from "@box/io";
import { MemoryBudget } from "../bytes/budget.ts";
import { SourceReader } from "../bytes/source-reader.ts";
import { headerFields } from "../header/layout.ts";
import type { Header } from "../header/parse.ts";
import { validateTables } from "../header/validate.ts";
import type { ImageInfo } from "../inspect/image-info.ts";
import { toImageInfo } from "../inspect/inspect-image.ts";
import { readHeaderArea, requireKnownFeatures } from "../inspect/read-header.ts";
import { l2FormatOf } from "../tables/l2-format.ts";
import type { CheckImageOptions } from "./check-options.ts";
import { CollectingSink } from "./collecting-sink.ts";
import { reportError } from "./finding.ts";
import { type RepairHooks, WalkContext } from "./walk-context.ts";
import { type WalkResult, walkMetadata } from "./walk-metadata.ts";

/** A check that is ready to walk. */
export interface CheckStart {
  /** What the header says. */
  readonly info: ImageInfo;
  /** What the walk works with. */
  readonly context: WalkContext;
  /** What it has found. */
  readonly sink: CollectingSink;
}

/** A check that has walked all metadata. */
export interface CheckRun extends CheckStart {
  /** The tables that it found. */
  readonly walk: WalkResult;
}

const defaultMetadataBytes = 256 * 2 ** 20;
const defaultMaxFindings = 1_000;

/** Walks all metadata once. */
export async function runCheck(
  source: RandomAccess,
  options: CheckImageOptions,
  hooks: RepairHooks = {},
): Promise<CheckRun> {
  const start = await startCheck(source, options, hooks);
  const how = { comparesRefcounts: true, requiresSnapshotExtra: true };
  const walk = await walkMetadata(start.context, how);
  return { ...start, walk };
}

/** Reads the header and makes ready for a walk. */
export async function startCheck(
  source: RandomAccess,
  options: CheckImageOptions,
  hooks: RepairHooks = {},
): Promise<CheckStart> {
  const reader = await SourceReader.open(source, options.signal);
  const area = await readHeaderArea(reader, "strict");
  requireKnownFeatures(area);
  validateTablesFor(area.header, reader.sizeBytes);
  const info = toImageInfo(area, reader.sizeBytes);
  const sink = new CollectingSink(options.maxFindings ?? defaultMaxFindings, info.clusterSizeBytes);
  if (info.isMarkedCorrupt) reportMark(sink);
  if (area.header.refcountTableClusters === 0) reportMissingRefcountTable(sink);
  const budget = new MemoryBudget(options.maxMetadataBytes ?? defaultMetadataBytes);
  const context = new WalkContext(reader, area, l2FormatOf(info), budget, sink, options, hooks);
  return { info, context, sink };
}

/** Refuses tables over a limit or misaligned; one that only runs past the end of the file is a finding. */
function validateTablesFor(header: Header, fileSizeBytes: number): void {
  try {
    validateTables(header, { isForCheck: true });
  } catch (error) {
    // A table that the file cannot hold is damage, whatever limit it breaks as well.
    validateTables(header, { fileSizeBytes });
    throw error;
  }
}

function reportMark(sink: CollectingSink): void {
  const problem = {
    code: "QCOW2_MARKED_CORRUPT",
    structure: "header",
    offset: headerFields.incompatibleFeatures,
    message: "the image is marked corrupt: a writer found damage in it and stopped",
  } as const;
  reportError(sink, problem, 0);
}

function reportMissingRefcountTable(sink: CollectingSink): void {
  const problem = {
    code: "QCOW2_REFCOUNT_TABLE_MISSING",
    structure: "header",
    offset: headerFields.refcountTableClusters,
    message: "the image has no refcount table",
  } as const;
  reportError(sink, problem, 0);
}
